"""Who would be notified if a repository went down, and by what; of many in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.kinds import EventKind, Severity
from hive.models import Channel, Membership, Repository, RepositoryTag
from hive.services.checks import Check
from hive.services.outbox import audiences, condition
from hive.services.outbox.audiences import Audience, works
from hive.services.outbox.kinds import Matter
from hive.services.outbox.routing import Destination
from hive.services.permissions import Actor, group_ids, visible_repositories

_MOST = 5  # that are named in a sentence


@dataclass(frozen=True)
class Reached:
    """Somebody who would be notified, and by what: "mail", "ntfy"."""

    name: str
    ways: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.name} by {' and '.join(self.ways)}"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """`others` are people whom the one who asks may not know."""

    repository_id: int
    repository: str
    people: tuple[Reached, ...]
    others: int
    reasons: tuple[str, ...]  # who else is not, and why

    @property
    def why_not(self) -> str:
        return ", ".join(self.reasons)

    @property
    def is_nobody(self) -> bool:
        return not self.people and not self.others

    @property
    def words(self) -> str:
        """For people: "Anna by mail, Ben by ntfy", or "nobody: " and why."""
        if self.is_nobody:
            return f"nobody: {self.why_not}"
        named = [one.words for one in self.people]
        if self.others:
            named.append("1 other" if self.others == 1 else f"{self.others} others")
        return ", ".join(named) + (f" ({self.why_not})" if self.why_not else "")


async def reaches(actor: Actor, repository_ids: Sequence[int] | None = None) -> dict[int, Reach]:
    """Of repositories that the actor may see, by id."""
    query = Repository.filter(await visible_repositories(actor), deleted_at=None)
    if repository_ids is not None:
        query = query.filter(id__in=list(repository_ids))
    rows = await query.distinct().order_by("name").values("id", "name", "owner_id")
    if not rows:
        return {}
    found = await audiences.of_repositories({row["id"]: row["owner_id"] for row in rows})
    tags: dict[int, set[str]] = {}
    for tag in await RepositoryTag.filter(repository_id__in=list(found)):
        tags.setdefault(tag.repository_id, set()).add(tag.tag)
    known, now = await _known(actor), clock.now()
    return {
        row["id"]: _reach(row, found[row["id"]], tags.get(row["id"], set()), known, now)
        for row in rows
    }


async def reach(actor: Actor, repository_id: int) -> Reach | None:
    """Of one repository; None where it is in the trash, or not for the actor to see."""
    return (await reaches(actor, [repository_id])).get(repository_id)


async def unreachable(actor: Actor) -> list[Reach]:
    """The repositories of which nobody would be notified."""
    return [one for one in (await reaches(actor)).values() if one.is_nobody]


async def _known(actor: Actor) -> set[int] | None:
    """Whom the actor may know; None: everybody."""
    if actor.is_admin:
        return None
    rows = await Membership.filter(group_id__in=await group_ids(actor))
    return {row.user_id for row in rows} | {actor.user_id or 0}


def _reach(
    row: dict[str, object],
    audience: Audience,
    tags: set[str],
    known: set[int] | None,
    now: datetime,
) -> Reach:
    repository_id, owner_id = int(str(row["id"])), int(str(row["owner_id"]))
    matter = Matter(
        str(EventKind.DOWN),
        Severity.CRITICAL,
        repository_id=repository_id,
        owner_id=owner_id,
        tags=frozenset(tags),
    )
    found = audience.ways(matter, now)
    people, others = [], 0
    for person, times in (*found.ways, *found.stand_ins):
        if not works(times):
            continue
        if known is None or person.id in known or person.id == owner_id:
            ways = dict.fromkeys(_way(place) for place in times if not place.error)
            people.append(Reached(person.name, tuple(ways)))
        else:
            others += 1
    reasons: tuple[str, ...] = found.reasons
    if known is not None and audience.people and (people or others):
        reasons = ()  # what keeps others from it is for their administrators
    return Reach(
        repository_id=repository_id,
        repository=str(row["name"]),
        people=tuple(people),
        others=others,
        reasons=reasons,
    )


def _way(place: Destination) -> str:
    return "mail" if place.channel_id is None else place.kind


@dataclass(frozen=True)
class Worries:
    """What is wrong with notifying, as the overview and the pages say it."""

    unreachable: tuple[Reach, ...]
    failing: int  # of the enabled channels that the actor may see
    channels: int

    @property
    def sentences(self) -> list[str]:
        found = []
        if self.channels and self.failing == self.channels:
            found.append(
                f"Nobody can be notified: {self.failing} of {self.channels}"
                f" {'channel fails' if self.channels == 1 else 'channels fail'}."
            )
        elif self.failing:
            found.append(
                f"{self.failing} of {self.channels} channels"
                f" {'fails' if self.failing == 1 else 'fail'}."
            )
        if self.unreachable:
            names = ", ".join(one.repository for one in self.unreachable[:_MOST])
            count = len(self.unreachable)
            if count > _MOST:
                names += f" and {count - _MOST} more"
            noun = "repository" if count == 1 else "repositories"
            found.append(f"{count} {noun} would notify nobody: {names}.")
        return found


async def worries(actor: Actor) -> Worries:
    """In a constant number of queries, however many repositories there are."""
    channels = Channel.filter(enabled=True)
    if not actor.is_admin:
        channels = channels.filter(owner_id=actor.user_id)
    rows = await channels
    failing = sum(condition.of_row(row).fails for row in rows)
    return Worries(tuple(await unreachable(actor)), failing, len(rows))


async def findings(actor: Actor) -> list[Check]:
    """What `hive doctor` says of it."""
    found = await worries(actor)
    result = [
        Check("warning", "Notifications", sentence, "See `hive channel list`.")
        for sentence in found.sentences
    ]
    result += [
        Check("warning", "Notifications", f"{one.repository} would notify {one.words}")
        for one in found.unreachable[:_MOST]
    ]
    return result or [Check("ok", "Notifications", "Somebody is notified of each repository")]
