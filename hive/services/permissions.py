"""Who may see and do what: owner, group share, administrator. Everybody asks here.

administrator       OWN on everything
owner               OWN: use, change, share, delete
share `manage`      MANAGE: all of that but giving it to another owner
share `view`        VIEW: see it, and use a key
anybody else        NONE: the thing does not exist for them (NotFound)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tortoise.expressions import Q, Subquery

from hive.errors import Forbidden, NotFound
from hive.kinds import Level, ShareLevel, Source
from hive.models import Key, KeyShare, Membership, Repository, RepositoryShare


@dataclass(frozen=True)
class Actor:
    """Whoever asks: a user at a door, or the system itself."""

    user_id: int | None
    name: str
    is_admin: bool
    source: Source
    address: str | None = None


SYSTEM = Actor(None, "system", is_admin=True, source=Source.SYSTEM)
# Who can run commands on the server can read its database as well.
OPERATOR = Actor(None, "operator", is_admin=True, source=Source.CLI)

_LEVELS = {ShareLevel.VIEW: Level.VIEW, ShareLevel.MANAGE: Level.MANAGE}


def require_admin(actor: Actor) -> None:
    if not actor.is_admin:
        raise Forbidden("Only an administrator may do this.")


async def group_ids(actor: Actor) -> list[int]:
    """The groups that the actor is a member of."""
    if actor.user_id is None:
        return []
    rows = await Membership.filter(user_id=actor.user_id).values_list("group_id", flat=True)
    return [int(row) for row in rows]  # type: ignore[call-overload]  # values_list is untyped


async def visible_repositories(actor: Actor) -> Q:
    """What restricts a query on repositories to those that the actor may see."""
    if actor.is_admin:
        return Q()
    shared = RepositoryShare.filter(group_id__in=await group_ids(actor)).values("repository_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shared))


async def visible_repository_ids(actor: Actor) -> list[int]:
    rows = await Repository.filter(await visible_repositories(actor)).values_list("id", flat=True)
    return [int(row) for row in rows]  # type: ignore[call-overload]  # values_list is untyped


async def visible_keys(actor: Actor) -> Q:
    """What restricts a query on keys to those that the actor may see and use."""
    if actor.is_admin:
        return Q()
    shared = KeyShare.filter(group_id__in=await group_ids(actor)).values("key_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shared))


async def level_on(actor: Actor, thing: Repository | Key) -> Level:
    """How far the actor's rights on this repository or key reach."""
    if actor.is_admin:
        return Level.OWN
    if actor.user_id is not None and thing.owner_id == actor.user_id:
        return Level.OWN
    groups = await group_ids(actor)
    shares: list[ShareLevel]
    if isinstance(thing, Repository):
        rows = await RepositoryShare.filter(repository_id=thing.id, group_id__in=groups)
        shares = [row.level for row in rows]
    else:
        shares = [row.level for row in await KeyShare.filter(key_id=thing.id, group_id__in=groups)]
    return max((_LEVELS[share] for share in shares), default=Level.NONE)


async def manageable_ids(actor: Actor, repository_ids: Collection[int]) -> set[int]:
    """Those of the repositories on which the actor has MANAGE or more; in two queries."""
    query = Repository.filter(id__in=list(repository_ids))
    if not actor.is_admin:
        shares = RepositoryShare.filter(
            group_id__in=await group_ids(actor), level=ShareLevel.MANAGE
        ).values("repository_id")
        query = query.filter(Q(owner_id=actor.user_id) | Q(id__in=Subquery(shares)))
    return {row["id"] for row in await query.values("id")}


async def require(actor: Actor, thing: Repository | Key, level: Level) -> None:
    """Raise NotFound where the actor may not even see it, Forbidden where that is all."""
    have = await level_on(actor, thing)
    if have == Level.NONE:
        raise NotFound("There is no such %(thing)s.", thing=_noun(thing))
    if have < level:
        raise Forbidden(
            "You may see the %(thing)s %(name)s, but not change it.",
            thing=_noun(thing),
            name=thing.name,
        )


def _noun(thing: Repository | Key) -> str:
    return "repository" if isinstance(thing, Repository) else "key"
