"""Quotas of repositories, users and groups: what counts against them, and what is over.

quota of       counts
a repository   all that lies on disk for it: the repository with what is not committed yet, a
               staged import, and what an import replaced, as long as that is in the trash
a user         the same of all repositories that the user owns
a group        the same of all repositories that its members own, whether they are shared with the
               group or not: administrators choose the members, members choose what they share

A deleted repository does not count. hive/services/repositories/quota_watch.py holds running
sessions to this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tortoise.expressions import Q, Subquery
from tortoise.functions import Sum

from hive.database import transactional
from hive.errors import Conflict, InvalidInput
from hive.kinds import TrashReason
from hive.models import Group, Membership, Repository, TrashEntry, User
from hive.sentences import Sentence, Size, say
from hive.services.installation import presence
from hive.services.repositories import infos as repository_infos
from hive.services.storage import paths

MIN_QUOTA = 10_000_000  # bytes; an empty repository with its index takes some of it


class Scope(StrEnum):
    REPOSITORY = "repository"
    USER = "user"
    GROUP = "group"


_TITLES: Mapping[Scope, Callable[[str], Sentence]] = {
    Scope.REPOSITORY: lambda name: say("the quota of repository %(name)s", name=name),
    Scope.USER: lambda name: say("the quota of user %(name)s", name=name),
    Scope.GROUP: lambda name: say("the quota of group %(name)s", name=name),
}
_OWNERS: Mapping[Scope, Callable[[str], Sentence]] = {
    Scope.USER: lambda name: say("user %(name)s", name=name),
    Scope.GROUP: lambda name: say("group %(name)s", name=name),
}


@dataclass(frozen=True)
class Quota:
    scope: Scope
    id: int
    name: str
    limit_bytes: int

    @property
    def title(self) -> str:
        return _TITLES[self.scope](self.name)

    @property
    def whose(self) -> str | None:
        """The user or group that it belongs to; None for a repository's own."""
        return None if self.scope == Scope.REPOSITORY else _OWNERS[self.scope](self.name)

    @property
    def who_can_raise_it(self) -> str:
        if self.scope == Scope.REPOSITORY:
            return say("Anyone who manages the repository can raise it")
        return say("An administrator can raise it")

    def refusal(self, used_bytes: int) -> str:
        """The message for a client that may write nothing more."""
        return say(
            "No new data is accepted: %(quota)s, %(limit)s, is used up (%(used)s on "
            "disk). %(who)s; listing, extracting, deleting, pruning and compacting "
            "still work.",
            quota=self.title,
            limit=Size(self.limit_bytes),
            used=Size(used_bytes),
            who=self.who_can_raise_it,
        )


@dataclass(frozen=True)
class QuotaUse:
    """A quota, and how much of it is used."""

    quota: Quota
    used_bytes: int

    @property
    def is_used_up(self) -> bool:
        return self.used_bytes >= self.quota.limit_bytes

    @property
    def share(self) -> float:
        return self.used_bytes / self.quota.limit_bytes

    @property
    def warning(self) -> str:
        """The warning after a quota was set below what is used."""
        return say(
            "%(used)s of %(quota)s, %(limit)s, are used already: no new data is "
            "accepted until something has been deleted and compacted.",
            used=Size(self.used_bytes),
            quota=self.quota.title,
            limit=Size(self.quota.limit_bytes),
        )


def check(quota_bytes: int | None) -> None:
    if quota_bytes is not None and not MIN_QUOTA <= quota_bytes < 2**63:
        raise InvalidInput(
            "A quota must be at least 10 MB: even an empty repository needs some.", field="quota"
        )


def check_count(count: int | None) -> None:
    if count is not None and not 0 <= count < 10**6:
        raise InvalidInput("A limit is a number from 0 to 999999.", field="max_repositories")


async def require_room(owner: User) -> None:
    """Conflict where an owner may own no further repository, by their own limit or a group's."""
    mine = await Repository.filter(owner_id=owner.id, deleted_at=None).count()
    if owner.max_repositories is not None and mine >= owner.max_repositories:
        raise Conflict(
            "%(name)s may own up to %(count)s repositories and has %(has)s: delete one, or ask an"
            " administrator for more.",
            field="name",
            name=owner.name,
            count=owner.max_repositories,
            has=mine,
        )
    limited = Group.filter(memberships__user_id=owner.id, max_repositories__not_isnull=True)
    for group in await limited:
        members = Membership.filter(group_id=group.id).values("user_id")
        theirs = Repository.filter(owner_id__in=Subquery(members), deleted_at=None)
        has = await theirs.count()
        if group.max_repositories is not None and has >= group.max_repositories:
            raise Conflict(
                "The members of %(name)s may own up to %(count)s repositories together and have"
                " %(has)s: delete one, or ask an administrator for more.",
                field="name",
                name=group.name,
                count=group.max_repositories,
                has=has,
            )


@dataclass(frozen=True)
class QuotaReach:
    """Whose quotas a repository counts against."""

    repository_id: int
    owner_id: int
    group_ids: frozenset[int]
    quotas: tuple[Quota, ...]

    def counts_for(self, quota: Quota) -> bool:
        if quota.scope == Scope.REPOSITORY:
            return self.repository_id == quota.id
        if quota.scope == Scope.USER:
            return self.owner_id == quota.id
        return quota.id in self.group_ids


async def reach_of(repository_id: int) -> QuotaReach:
    """The quotas that hold for a repository now."""
    row = await Repository.get(id=repository_id).select_related("owner")
    found = []
    if row.quota_bytes is not None:
        found.append(Quota(Scope.REPOSITORY, row.id, row.name, row.quota_bytes))
    if row.owner.quota_bytes is not None:
        found.append(Quota(Scope.USER, row.owner.id, row.owner.name, row.owner.quota_bytes))
    mine = Membership.filter(user_id=row.owner_id).values("group_id")
    groups = await Group.filter(id__in=Subquery(mine))
    found += [
        Quota(Scope.GROUP, one.id, one.name, one.quota_bytes)
        for one in groups
        if one.quota_bytes is not None
    ]
    return QuotaReach(row.id, row.owner_id, frozenset(one.id for one in groups), tuple(found))


async def used(quota: Quota, *, besides: Collection[int] = ()) -> int:
    """What was measured last of all that counts, but for these repositories."""
    rows = Repository.filter(_counted(quota), deleted_at=None).exclude(id__in=list(besides))
    totals = [
        *await rows.annotate(total=Sum("occupied_bytes")).values("total"),
        # where no quota held, its size is what is known
        *await rows.filter(occupied_bytes=None).annotate(total=Sum("size_bytes")).values("total"),
    ]
    return sum(row["total"] or 0 for row in totals)


def _counted(quota: Quota) -> Q:
    if quota.scope == Scope.REPOSITORY:
        return Q(id=quota.id)
    if quota.scope == Scope.USER:
        return Q(owner_id=quota.id)
    members = Membership.filter(group_id=quota.id).values("user_id")
    return Q(owner_id__in=Subquery(members))


async def uses(repository_id: int) -> list[QuotaUse]:
    """All quotas that a repository counts against, the fullest first."""
    reach = await reach_of(repository_id)
    found = [QuotaUse(quota, await used(quota)) for quota in reach.quotas]
    return sorted(found, key=lambda one: -one.share)


async def use_of(owner: User | Group) -> QuotaUse | None:
    """How much of their quota a user or a group uses; None where they have none."""
    if owner.quota_bytes is None:
        return None
    scope = Scope.USER if isinstance(owner, User) else Scope.GROUP
    quota = Quota(scope, owner.id, owner.name, owner.quota_bytes)
    return QuotaUse(quota, await used(quota))


async def use_of_user(user_id: int) -> QuotaUse | None:
    return await use_of(await User.get(id=user_id))


async def use_of_group(group_id: int) -> QuotaUse | None:
    return await use_of(await Group.get(id=group_id))


async def use_of_repository(repository_id: int) -> QuotaUse | None:
    """How much of its own quota a repository uses."""
    found = await uses(repository_id)
    return next((one for one in found if one.quota.scope == Scope.REPOSITORY), None)


async def known(repository_id: int) -> int | None:
    """What was last measured of a repository, where a quota held then."""
    occupied: int | None = (await Repository.get(id=repository_id)).occupied_bytes
    return occupied


async def measure(repository_id: int) -> list[QuotaUse]:
    """Measure what a repository takes, where a quota holds, and keep it; all those quotas."""
    row = await Repository.get(id=repository_id).select_related("location")
    if not (await reach_of(repository_id)).quotas:
        if row.occupied_bytes is not None:
            await note(repository_id, None)  # nobody keeps it up to date from here on
        return []
    await occupied(repository_id, repository_infos.place_of(row))
    return await uses(repository_id)


async def occupied(repository_id: int, place: paths.Place) -> int:
    """Measure what counts on disk for a repository, and keep it.

    Where its storage is away, what is known stays.
    """
    if presence.is_away(place.root):
        return await known(repository_id) or 0
    replaced = TrashEntry.filter(repository_id=repository_id, reason=TrashReason.REPLACED)
    trashed = [Path(row["path"]) for row in await replaced.values("path")]
    directories = [place.repository, place.staging, *trashed]
    found = await asyncio.to_thread(paths.occupied_bytes, directories)
    await note(repository_id, found)
    return found


@transactional
async def note(repository_id: int, occupied: int | None) -> None:
    await Repository.filter(id=repository_id).update(occupied_bytes=occupied)
