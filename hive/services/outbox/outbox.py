"""The outbox: who is notified of what, written in the transaction of what it tells of.

Nothing is sent here: hive/services/delivery does, and hive/services/outbox/writing.py makes rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from hive import clock
from hive.kinds import Severity
from hive.layout import Paragraph
from hive.models import Event, Repository, RepositoryTag
from hive.sentences import say
from hive.services import runtime
from hive.services.outbox import audiences, downtimes, facts, incidents, recipients, texts
from hive.services.outbox.kinds import Matter, matter_of
from hive.services.outbox.routing import Destination, Person, fallback, route
from hive.services.outbox.writing import Notice, Ways, write

__all__ = ["Notice", "note", "tell", "tell_administrators", "tell_aside"]


async def note(event: Event) -> None:
    """Tell those it concerns of an event; call in its transaction.

    What is a warning or worse and reaches nobody goes to the administrators.
    """
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
    if not (found.ways or found.stand_ins):
        return
    notice = await _notice(event, subject, matter, now)
    await write(_held(found.ways, held), notice, now)
    if found.stand_ins:
        reasons = say("Nobody else could be notified: %(reasons)s.", reasons=found.why)
        instead = replace(notice, blocks=[Paragraph((reasons,)), *notice.blocks])
        await write(_held(found.stand_ins, held), instead, now)


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
    ways = [(person, times) for person, times in found if times is not None]
    return await write(_held(ways, held), notice, now)


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
