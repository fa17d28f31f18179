"""The outbox: who is notified of what, written in the transaction of what it tells of.

Nothing is sent here: hive/services/delivery does, and hive/services/outbox/writing.py makes rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from hive import clock
from hive.kinds import EventKind, Severity
from hive.layout import Paragraph
from hive.models import Event, Notification, Repository, RepositoryTag
from hive.sentences import say
from hive.services import runtime
from hive.services.outbox import (
    audiences,
    downtimes,
    escalations,
    facts,
    follow_ups,
    incidents,
    recipients,
    reminders,
    texts,
)
from hive.services.outbox.incidents import Phase
from hive.services.outbox.kinds import Matter, matter_of
from hive.services.outbox.routing import Destination, Person, fallback, route
from hive.services.outbox.writing import Notice, Ways, write

__all__ = ["Notice", "note", "tell", "tell_administrators", "tell_aside"]


async def note(event: Event) -> None:
    """Tell those it concerns of an event; call in its transaction.

    What is a warning or worse and reaches nobody goes to the administrators.
    """
    if event.kind in follow_ups.ANSWERS:
        await _note_answer(event)
    matter = matter_of(event.kind, event.details)
    if matter is None:
        return
    subject = await _subject(event.repository_id)
    audience = await audiences.of_repository(subject.id, subject.owner_id)
    tags = await RepositoryTag.filter(repository_id=subject.id).values_list("tag", flat=True)
    matter = replace(
        matter,
        repository_id=subject.id,
        owner_id=subject.owner_id,
        tags=frozenset(str(tag) for tag in tags),
        incident=incidents.of_event(subject.id, event.kind, event.details),
    )
    now = clock.now()
    held = await downtimes.held_until(matter, now)
    found = audience.ways(matter, now)
    ways = await _due(found.ways, event, now)
    if matter.severity == Severity.RECOVERY and matter.incident is not None:
        ways = _together(ways, await _told_before(ways, matter.incident, now))
        await escalations.answer(matter.incident, Phase.RESOLVED)
    if not (ways or found.stand_ins):
        return
    notice = await _notice(event, subject, matter, now)
    await _write(_held(ways, held), notice, now)
    if found.stand_ins:
        reasons = say("Nobody else could be notified: %(reasons)s.", reasons=found.why)
        instead = replace(notice, blocks=[Paragraph((reasons,)), *notice.blocks])
        await _write(_held(await _due(found.stand_ins, event, now), held), instead, now)


async def _due(ways: Ways, event: Event, now: datetime) -> Ways:
    """Of a reminder, only those whose own preference wants one now."""
    told_at = event.details.get("alerted_at")
    if event.kind != EventKind.STILL_DOWN or told_at is None or not ways:
        return ways
    ids = [person.id for person, _ in ways]
    told = datetime.fromisoformat(str(told_at))
    waiting = await reminders.not_due(ids, event.repository_id, told, now)
    return [(person, times) for person, times in ways if person.id not in waiting]


async def _told_before(ways: Ways, incident: str, now: datetime) -> Ways:
    """Who was notified of a problem otherwise than the rules of today say, and hears its end."""
    known = {person.id: {place.channel_id for place in times} for person, times in ways}
    return await follow_ups.ways_to(await follow_ups.told(incident), now, but=known)


def _together(ways: Ways, more: Ways) -> Ways:
    """Each person once."""
    found = {person.id: (person, dict(times)) for person, times in ways}
    for person, times in more:
        found.setdefault(person.id, (person, {}))[1].update(times)
    return list(found.values())


async def _note_answer(event: Event) -> None:
    """Somebody answered a problem: those who were notified of it hear of that."""
    now = clock.now()
    for incident in follow_ups.answered(event):
        phase = follow_ups.ANSWERS[event.kind]
        await escalations.answer(incident, phase)
        told = await follow_ups.told(incident)
        by = str(event.details.get("by") or "")
        ways = await follow_ups.ways_to(told, now, but={}, by=by)
        if not ways:
            continue
        subject = await _subject(event.repository_id)
        matter = Matter(str(event.kind), Severity.INFO, repository_id=subject.id, incident=incident)
        notice = await _notice(event, subject, matter, now)
        key = f"{notice.key}:{incident}"
        await write(ways, replace(notice, key=key, phase=phase), now)


async def _write(ways: Ways, notice: Notice, now: datetime) -> int:
    """Write the rows, and note what is escalated if nobody answers."""
    written = await write(ways, notice, now)
    if notice.matter.can_be_answered and written:
        for person, times in ways:
            if any(rule.escalate_after is not None for rule in person.rules):
                row = await Notification.get(user_id=person.id, key=notice.key)
                told_at = min(times.values(), default=now)
                await escalations.plan(person, notice.matter, row, told_at)
    return written


async def _notice(event: Event, subject: _Subject, matter: Matter, now: datetime) -> Notice:
    """What is said about an event of a repository."""
    url = texts.page_of(runtime.public_url(), subject.id)
    about = texts.AboutRepository(
        subject.name, subject.login, subject.owner, url, runtime.host_name()
    )
    known = await facts.of_repository(subject.id, event.details, now)
    details = {
        **known.details(),
        **event.details,
        "event": event.id,
        "repository": subject.name,
        "owner": subject.owner,
        "message": str(event.message),
        "url": url,
    }
    return Notice(
        f"event:{event.id}",
        matter,
        texts.event_title(event.kind, subject.name, event.details),
        details=details,
        blocks=texts.event_blocks(
            event.kind, event.message, event.at, event.details, about, facts=known.pairs()
        ),
        brief=texts.event_brief(event.kind, event.message, event.at, event.details, subject.name),
    )


@dataclass(frozen=True)
class _Subject:
    id: int
    name: str
    login: str
    owner_id: int
    owner: str


async def _subject(repository_id: int) -> _Subject:
    """What is said about a repository: a few columns, so that a broken row is reported too."""
    row = await Repository.get(id=repository_id).values(
        "id", "name", "login", "owner_id", owner="owner__name"
    )
    return _Subject(**row)


async def tell_administrators(
    key: str,
    kind: str,
    severity: Severity,
    title: str,
    *lines: str,
    ends: Iterable[str] = (),
    subject: str | None = None,
) -> None:
    """Tell every administrator of something that concerns the server; call in its transaction.

    `subject` is what it is about, and its end too.
    """
    incident = None if subject is None else incidents.of_server(subject)
    matter = Matter(
        kind, severity, ends=frozenset(ends), weight=Severity.WARNING, incident=incident
    )
    people = await recipients.load(await recipients.administrators())
    await tell(people, Notice(key, matter, title, lines))


async def tell(people: Collection[Person], notice: Notice) -> int:
    """Write the notifications and deliveries of these people; how many are notified."""
    now = clock.now()
    held = await downtimes.held_until(notice.matter, now)
    found = [(person, route(person, notice.matter, now)) for person in people]
    ways: Ways = [(person, times) for person, times in found if times is not None]
    if notice.at == Phase.RESOLVED and notice.incident is not None:
        ways = _together(ways, await _told_before(ways, notice.incident, now))
        await escalations.answer(notice.incident, Phase.RESOLVED)
    return await _write(_held(ways, held), notice, now)


def _held(ways: Ways, until: datetime | None) -> Ways:
    """Not before a maintenance is over that was announced."""
    if until is None:
        return list(ways)
    return [
        (person, {place: max(at, until) for place, at in times.items()}) for person, times in ways
    ]


async def tell_aside(people: Collection[Person], notice: Notice, avoid: Destination) -> int:
    """The same by anything but one place, which is in trouble itself; rules do not count."""
    now = clock.now()
    ways = []
    for person in people:
        others = [place for place in fallback(person) if place != avoid]
        if not others and person.own_mail not in (None, avoid):
            others = [person.own_mail]
        if others:
            ways.append((person, dict.fromkeys(others, now)))
    return await write(ways, notice, now)
