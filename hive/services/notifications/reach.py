"""Who would be notified if a repository went down, and by what; of many in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tortoise.expressions import F, Q
from tortoise.functions import Count, Min
from tortoise.queryset import QuerySet

from hive import clock, sql
from hive.kinds import EventKind, Severity
from hive.models import Channel, Membership, Repository, RepositoryShare, RepositoryTag, Rule
from hive.sentences import join, listed, say
from hive.services.checks import Check
from hive.services.outbox import audiences, condition
from hive.services.outbox.audiences import Audience, works
from hive.services.outbox.kinds import Matter
from hive.services.outbox.routing import Destination
from hive.services.permissions import Actor, group_ids, not_deleted, visible_repositories

_MOST = 5  # that are named in a sentence
_MOST_KINDS = 20  # whose repositories are looked at for these
_ALIKE = ("owner_id", "shares", "own", "tags_")


@dataclass(frozen=True)
class Reached:
    """Somebody who would be notified, and by what: "mail", "ntfy"."""

    name: str
    ways: tuple[str, ...]

    @property
    def words(self) -> str:
        return say("%(name)s by %(ways)s", name=self.name, ways=join(*self.ways, by=" + "))


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
        return join(*self.reasons, by=", ")

    @property
    def is_nobody(self) -> bool:
        return not self.people and not self.others

    @property
    def words(self) -> str:
        """For people: "Anna by mail, Ben by ntfy", or "nobody: " and why."""
        if self.is_nobody:
            return say("nobody: %(reason)s", reason=self.why_not)
        named = [one.words for one in self.people]
        if self.others:
            named.append(
                say("1 other") if self.others == 1 else say("%(count)s others", count=self.others)
            )
        words = join(*named, by=", ")
        if not self.why_not:
            return words
        return say("%(people)s (%(reason)s)", people=words, reason=self.why_not)


async def reaches(actor: Actor, repository_ids: Sequence[int] | None = None) -> dict[int, Reach]:
    """Of repositories that the actor may see, by id."""
    query = Repository.filter(await visible_repositories(actor), not_deleted())
    if repository_ids is not None:
        query = query.filter(id__in=sql.ids(repository_ids))
    rows = await query.distinct().order_by("name").values("id", "name", "owner_id")
    if not rows:
        return {}
    found = await audiences.of_repositories({row["id"]: row["owner_id"] for row in rows})
    tags: dict[int, set[str]] = {}
    tagged = RepositoryTag.filter(repository_id__in=sql.ids(found))
    for one in await tagged.values("repository_id", "tag"):
        tags.setdefault(one["repository_id"], set()).add(one["tag"])
    known, now = await _known(actor), clock.now()
    alike: dict[object, Reach] = {}
    result = {}
    for row in rows:
        id_ = row["id"]
        audience, own_tags = found[id_], frozenset(tags.get(id_, ()))
        key = audience.likeness(id_), own_tags
        if key not in alike:
            alike[key] = _reach(row, audience, own_tags, known, now)
        result[id_] = replace(alike[key], repository_id=id_, repository=row["name"])
    return result


async def reach(actor: Actor, repository_id: int) -> Reach | None:
    """Of one repository; None where it is in the trash, or not for the actor to see."""
    return (await reaches(actor, [repository_id])).get(repository_id)


@dataclass(frozen=True)
class Unreachable:
    """The repositories of which nobody would be notified: how many, and the first by name."""

    count: int
    first: tuple[Reach, ...]


async def unreachable(actor: Actor) -> Unreachable:
    """Asked of one of each kind: those that have the same owner, groups, rules, and tags."""
    alike, columns = await _alike(actor)
    kinds = await _kinds(alike, columns)
    found = await reaches(actor, [kind["example"] for kind in kinds])
    bad = [kind for kind in kinds if kind["example"] in found and found[kind["example"]].is_nobody]
    if not bad:
        return Unreachable(0, ())
    named = {tuple(kind[name] for name in _ALIKE): found[kind["example"]] for kind in bad}
    first = [
        replace(
            named[tuple(row[name] for name in _ALIKE)],
            repository_id=row["id"],
            repository=row["name"],
        )
        for row in await _first_of(alike, bad[:_MOST_KINDS])
    ]
    return Unreachable(sum(kind["count"] for kind in bad), tuple(first))


async def _alike(actor: Actor) -> tuple[QuerySet[Repository], list[str]]:
    """The repositories that the actor may see, with what it depends on who is notified.

    And in which of these columns they can differ: a database groups by fewer of them sooner.
    """
    rules = await Rule.filter(enabled=True).values("repository_id", "tag")
    named = [rule["repository_id"] for rule in rules if rule["repository_id"]]
    own = sql.case((Q(id__in=named), F("id")), default=0) if named else sql.nothing()
    has_tags = any(rule["tag"] for rule in rules)
    has_shares = await RepositoryShare.exists()
    query = Repository.filter(await visible_repositories(actor), deleted_at=None).annotate(
        shares=sql.all_groups() if has_shares else sql.nothing(),
        own=own,
        tags_=sql.all_tags() if has_tags else sql.nothing(),
    )
    differs = {"owner_id": True, "shares": has_shares, "own": bool(named), "tags_": has_tags}
    return query, [name for name in _ALIKE if differs[name]]


async def _kinds(alike: QuerySet[Repository], columns: Sequence[str]) -> list[dict[str, Any]]:
    query = alike.annotate(example=Min("id"), count=Count("id"))
    return list(await query.group_by(*columns).values(*_ALIKE, "example", "count"))


async def _first_of(
    alike: QuerySet[Repository], kinds: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The first repositories of these kinds by name, in one query."""
    any_of = Q(*(Q(**{name: kind[name] for name in _ALIKE}) for kind in kinds), join_type="OR")
    rows = alike.filter(any_of).order_by("name", "id").limit(_MOST)
    return list(await rows.values("id", "name", *_ALIKE))


async def _known(actor: Actor) -> set[int] | None:
    """Whom the actor may know; None: everybody."""
    if actor.sees_all:
        return None
    rows = await Membership.filter(group_id__in=await group_ids(actor))
    return {row.user_id for row in rows} | {actor.user_id or 0}


def _reach(
    row: dict[str, object],
    audience: Audience,
    tags: frozenset[str],
    known: set[int] | None,
    now: datetime,
) -> Reach:
    repository_id, owner_id = int(str(row["id"])), int(str(row["owner_id"]))
    matter = Matter(
        str(EventKind.DOWN),
        Severity.CRITICAL,
        repository_id=repository_id,
        owner_id=owner_id,
        tags=tags,
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
    return say("mail") if place.channel_id is None else place.kind


@dataclass(frozen=True)
class Worries:
    """What is wrong with notifying, as the overview and the pages say it."""

    unreachable: tuple[Reach, ...]  # the first
    unreachable_count: int
    failing: int  # of the enabled channels that the actor may see
    channels: int

    @property
    def of_channels(self) -> str:
        """What is wrong with the channels, in a sentence; empty where nothing is."""
        if self.channels and self.failing == self.channels:
            if self.channels == 1:
                return say("Nobody can be notified: the only channel fails.")
            return say("Nobody can be notified: all %(count)s channels fail.", count=self.channels)
        if self.failing == 1:
            return say("1 of %(channels)s channels fails.", channels=self.channels)
        if self.failing:
            return say(
                "%(failing)s of %(channels)s channels fail.",
                failing=self.failing,
                channels=self.channels,
            )
        return ""

    @property
    def sentences(self) -> list[str]:
        found: list[str] = [self.of_channels] if self.of_channels else []
        if self.unreachable:
            count, first = self.unreachable_count, [one.repository for one in self.unreachable]
            names = listed(first, _MOST, of=count)
            found.append(
                say("1 repository would notify nobody: %(names)s.", names=names)
                if count == 1
                else say(
                    "%(count)s repositories would notify nobody: %(names)s.",
                    count=count,
                    names=names,
                )
            )
        return found


async def worries(actor: Actor) -> Worries:
    """In a constant number of queries, however many repositories there are."""
    rows = await _channels(actor)
    nobody = await unreachable(actor)
    return Worries(nobody.first, nobody.count, _failing(rows), len(rows))


async def failing_channels(actor: Actor) -> int:
    """How many of the enabled channels fail."""
    return _failing(await _channels(actor))


async def _channels(actor: Actor) -> list[Channel]:
    enabled = Channel.filter(enabled=True)
    return await (enabled if actor.sees_all else enabled.filter(owner_id=actor.user_id))


def _failing(rows: Sequence[Channel]) -> int:
    return sum(condition.of_row(row).fails for row in rows)


async def findings(actor: Actor) -> list[Check]:
    """What `hive doctor` says of it."""
    found = await worries(actor)
    result = [
        Check("warning", say("Notifications"), sentence, say("See `hive channel list`."))
        for sentence in found.sentences
    ]
    result += [
        Check(
            "warning",
            say("Notifications"),
            say(
                "%(repository)s would notify %(people)s",
                repository=one.repository,
                people=one.words,
            ),
        )
        for one in found.unreachable[:_MOST]
    ]
    return result or [
        Check(
            "ok", say("Notifications"), say("For each repository, at least one person is notified")
        )
    ]
