"""Who may see and do what: role, owner, group share. Everybody asks here.

administrator       OWN on everything, and the only one who administers people and the server
operator            MANAGE on everything, and what keeps the server running: jobs, maintenance,
                    addresses
auditor             VIEW on everything, what belongs to them included; changes nothing but their
                    own account
owner               OWN: use, change, share, delete
share `manage`      MANAGE: all of that but giving it to another owner
share `view`        VIEW: see it, and use a key
anybody else        NONE: the thing does not exist for them (NotFound)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from hive import sql
from hive.errors import Forbidden, NotFound
from hive.kinds import Level, Role, ShareLevel, Source
from hive.models import (
    Channel,
    ChannelShare,
    Key,
    KeyShare,
    Membership,
    Repository,
    RepositoryShare,
)
from hive.sentences import say

SEEING_ALL = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)
# Who manages everything, is responsible for the server and hears of its alarms.
RESPONSIBLE = (Role.ADMINISTRATOR, Role.OPERATOR)


@dataclass(frozen=True)
class Actor:
    """The actor: a user who logged in, or the system itself.

    `behind` is the person who was root, where the command line acts.
    """

    user_id: int | None
    name: str
    role: Role
    source: Source
    address: str | None = None
    behind: str | None = None

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def sees_all(self) -> bool:
        """Whether everything may be seen, also what belongs to others."""
        return self.role in SEEING_ALL

    @property
    def manages_all(self) -> bool:
        """Whether everybody's repositories, keys and channels may be changed."""
        return self.role in RESPONSIBLE

    @property
    def may_change(self) -> bool:
        """Whether anything may be changed at all, the own account apart."""
        return self.role != Role.AUDITOR


SYSTEM = Actor(None, "system", Role.ADMINISTRATOR, Source.SYSTEM)
# Who can run commands on the server can read its database as well.
OPERATOR = Actor(None, "operator", Role.ADMINISTRATOR, Source.CLI)

Thing = Repository | Key | Channel
Shares = QuerySet[RepositoryShare] | QuerySet[KeyShare] | QuerySet[ChannelShare]

_LEVELS = {ShareLevel.VIEW: Level.VIEW, ShareLevel.MANAGE: Level.MANAGE}


def require_admin(actor: Actor) -> None:
    """For what concerns people and the installation."""
    if not actor.is_admin:
        raise Forbidden("Only an administrator may do this.")


def require_operator(actor: Actor) -> None:
    """For what keeps the server running."""
    if not actor.manages_all:
        raise Forbidden("Only an administrator or an operator may do this.")


def require_sight(actor: Actor) -> None:
    """For looking at what concerns the whole server."""
    if not actor.sees_all:
        raise Forbidden("Only administrators, operators and auditors may see this.")


def require_change(actor: Actor) -> None:
    """For everything that changes something, the own account apart."""
    if not actor.may_change:
        raise Forbidden("As an auditor, you may see everything, but change nothing.")


# What auditors may do as well: log in, and change how they log in and read.
_OWN_ACCOUNT = "user."


def require_recordable(actor: Actor, action: str) -> None:
    """Asked for every row of the audit log: what forgot to ask is refused here at the latest."""
    if not action.startswith(_OWN_ACCOUNT):
        require_change(actor)


async def group_ids(actor: Actor) -> list[int]:
    """The groups that the actor is a member of."""
    if actor.user_id is None:
        return []
    rows = await Membership.filter(user_id=actor.user_id).values_list("group_id", flat=True)
    return [int(row) for row in rows]  # type: ignore[call-overload]  # values_list is untyped


async def visible_repositories(actor: Actor) -> Q:
    """What restricts a query on repositories to those that the actor may see."""
    if actor.sees_all:
        return Q()
    shared = RepositoryShare.filter(group_id__in=await group_ids(actor)).values("repository_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shared))


def not_deleted() -> Q:
    """What restricts a query on repositories to those that are not in the trash.

    For queries that read all repositories, or by another index: of `deleted_at=None`, SQLite
    believes that few rows are like that, and prefers its index to any other.
    """
    return Q(id__not_in=Subquery(Repository.filter(deleted_at__isnull=False).values("id")))


async def visible_repository_ids(actor: Actor) -> list[int]:
    rows = await Repository.filter(await visible_repositories(actor)).values_list("id", flat=True)
    return [int(row) for row in rows]  # type: ignore[call-overload]  # values_list is untyped


async def of_visible_repositories(actor: Actor) -> Q:
    """What restricts a query on what repositories have to those that the actor may see."""
    return Q() if actor.sees_all else Q(repository_id__in=await visible_repository_ids(actor))


async def visible_keys(actor: Actor) -> Q:
    """What restricts a query on keys to those that the actor may see and use."""
    if actor.sees_all:
        return Q()
    shared = KeyShare.filter(group_id__in=await group_ids(actor)).values("key_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shared))


async def visible_channels(actor: Actor) -> Q:
    """What restricts a query on channels to those that the actor may see and use."""
    if actor.sees_all:
        return Q()
    shared = ChannelShare.filter(group_id__in=await group_ids(actor)).values("channel_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shared))


def shares_of(thing: Thing) -> Shares:
    """With which groups it is shared."""
    if isinstance(thing, Repository):
        return RepositoryShare.filter(repository_id=thing.id)
    if isinstance(thing, Key):
        return KeyShare.filter(key_id=thing.id)
    return ChannelShare.filter(channel_id=thing.id)


async def level_on(actor: Actor, thing: Thing) -> Level:
    """How far the actor's rights on this repository, key or channel reach."""
    if actor.is_admin:
        return Level.OWN
    if not actor.may_change:
        return Level.VIEW
    if actor.user_id is not None and thing.owner_id == actor.user_id:
        return Level.OWN
    if actor.manages_all:
        return Level.MANAGE
    rows = await shares_of(thing).filter(group_id__in=await group_ids(actor))
    return max((_LEVELS[row.level] for row in rows), default=Level.NONE)


async def manageable_repositories(actor: Actor) -> Q:
    """What restricts a query on repositories to those on which the actor has MANAGE or more."""
    if actor.manages_all:
        return Q()
    if not actor.may_change:
        return Q(id__in=[])
    shares = RepositoryShare.filter(
        group_id__in=await group_ids(actor), level=ShareLevel.MANAGE
    ).values("repository_id")
    return Q(owner_id=actor.user_id) | Q(id__in=Subquery(shares))


async def manageable_ids(actor: Actor, repository_ids: Collection[int]) -> set[int]:
    """Those of the repositories on which the actor has MANAGE or more; in two queries."""
    rows = Repository.filter(await manageable_repositories(actor), id__in=sql.ids(repository_ids))
    return {row["id"] for row in await rows.values("id")}


async def repository_for(
    actor: Actor, repository_id: int, level: Level, *, deleted: bool = False
) -> Repository:
    """The row of a repository, with its location, for an actor who has this level on it.

    Raises NotFound where there is none or the actor may not see it, Forbidden where seeing is all.
    `deleted`: one in the trash counts as well.
    """
    row = await Repository.get_or_none(id=repository_id).select_related("location")
    if row is None or (row.deleted_at is not None and not deleted):
        raise NotFound("There is no such repository.")
    await require(actor, row, level)
    return row


async def require(actor: Actor, thing: Repository | Key, level: Level) -> None:
    """Raise NotFound where the actor may not even see it, Forbidden where that is all."""
    have = await level_on(actor, thing)
    if have == Level.NONE:
        raise NotFound(
            say("There is no such repository.")
            if isinstance(thing, Repository)
            else say("There is no such key.")
        )
    if have < level:
        raise Forbidden(
            say("You may see the repository %(name)s, but not change it.", name=thing.name)
            if isinstance(thing, Repository)
            else say("You may see the key %(name)s, but not change it.", name=thing.name)
        )


def own_id(actor: Actor) -> int:
    """The user that the actor is; nobody does these things for others."""
    if actor.user_id is None:
        raise NotFound("There is no such user.")
    return actor.user_id
