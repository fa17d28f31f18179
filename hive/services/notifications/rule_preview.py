"""What a rule would have sent in the last 30 days, and what its person would miss by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hive import clock
from hive.errors import NotFound
from hive.kinds import EventKind
from hive.models import Event, Repository, RepositoryTag, Rule
from hive.sentences import join, say
from hive.services.outbox import recipients
from hive.services.outbox.kinds import TABLE, Matter, matter_of
from hive.services.outbox.routing import Person, matches, route, route_of_administrator
from hive.services.permissions import Actor

_SPAN = timedelta(days=30)
_MOST_EVENTS = 5_000  # the newest
_MOST_KINDS = 5  # that are named


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`events` are those of which its person hears by any rule, or heard before this one."""

    rule: str
    events: int
    sent: int  # by this rule
    lost: tuple[tuple[str, int], ...]  # kinds that are no longer sent, and how many
    tag_without_repository: str | None

    @property
    def sentences(self) -> list[str]:
        found: list[str] = []
        if self.tag_without_repository is not None:
            found.append(
                say(
                    "Warning: no repository has the tag %(tag)s, so the "
                    "rule %(rule)s matches nothing.",
                    tag=self.tag_without_repository,
                    rule=self.rule,
                )
            )
        found.append(
            say(
                "In the last 30 days the rule %(rule)s would have sent %(sent)s of "
                "%(events)s notifications.",
                rule=self.rule,
                sent=self.sent,
                events=self.events,
            )
        )
        if self.lost:
            named = join(*(f"{count} {kind}" for kind, count in self.lost[:_MOST_KINDS]), by=", ")
            more = "" if len(self.lost) <= _MOST_KINDS else ", ..."
            found.append(
                say("No longer sent by any rule: %(kinds)s%(more)s.", kinds=named, more=more)
            )
        return found


async def preview(actor: Actor, rule_id: int) -> Preview:
    """Of a rule as it is stored, against what its person would hear without it."""
    row = await Rule.get_or_none(id=rule_id)
    if row is None or not (actor.sees_all or row.user_id == actor.user_id):
        raise NotFound("There is no such rule.")
    people = await recipients.load([row.user_id])
    unknown = row.tag if row.tag and not await _is_used(row.tag) else None
    if not people:
        return Preview(rule=row.name, events=0, sent=0, lost=(), tag_without_repository=unknown)
    person = people[0]
    rule = await recipients.rule_of(row)
    others = tuple(one for one in person.rules if one != rule)
    without = replace(person, rules=others)
    with_it = replace(person, rules=(*others, rule) if row.enabled else others)
    mine, matters = await _matters(person)
    judged = await asyncio.to_thread(_judge, matters, mine, without, with_it, clock.now())
    sent = sum(row.enabled and matches(rule, matter) for matter in matters)
    lost = Counter(matter.kind for matter in judged.lost)
    return Preview(
        rule=row.name,
        events=judged.heard,
        sent=sent,
        lost=tuple(lost.most_common()),
        tag_without_repository=unknown,
    )


async def _is_used(tag: str) -> bool:
    return await RepositoryTag.filter(tag=tag, repository__deleted_at=None).exists()


async def _matters(person: Person) -> tuple[set[int], list[Matter]]:
    """Which repositories are the person's own business, and what happened lately."""
    owners = {
        row["id"]: row["owner_id"]
        for row in await Repository.filter(deleted_at=None).values("id", "owner_id")
    }
    members = await recipients.members_of_shared(owners)
    mine = {one for one, owner in owners.items() if owner == person.id or person.id in members[one]}
    is_admin = person.id in await recipients.overseers()
    seen = set(owners) if is_admin else mine
    tags: dict[int, set[str]] = {}
    for row in await RepositoryTag.filter(repository_id__in=list(seen)):
        tags.setdefault(row.repository_id, set()).add(row.tag)
    events = Event.filter(
        at__gte=clock.now() - _SPAN, kind__in=list(TABLE), repository_id__in=list(seen)
    )
    found = []
    for event in (
        await events.order_by("-id").limit(_MOST_EVENTS).values("kind", "details", "repository_id")
    ):
        matter = _matter(event, owners, tags)
        if matter is not None:
            found.append(matter)
    return mine, found


def _matter(
    event: dict[str, Any], owners: dict[int, int], tags: dict[int, set[str]]
) -> Matter | None:
    matter = matter_of(EventKind(event["kind"]), event["details"])
    if matter is None:
        return None
    one = event["repository_id"]
    own_tags = frozenset(tags.get(one, ()))
    return replace(matter, repository_id=one, owner_id=owners[one], tags=own_tags)


@dataclass(frozen=True)
class _Judged:
    heard: int
    lost: list[Matter]


def _judge(
    matters: Sequence[Matter], mine: set[int], without: Person, with_it: Person, now: datetime
) -> _Judged:
    heard, lost = 0, []
    for matter in matters:
        way = route if matter.repository_id in mine else route_of_administrator
        before, after = way(without, matter, now), way(with_it, matter, now)
        heard += bool(before or after)
        if before and not after:
            lost.append(matter)
    return _Judged(heard, lost)
