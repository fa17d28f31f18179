"""The outbox: notifications and deliveries as rows, in the transaction of what they tell of.

Nothing is sent here. A recovery that comes while its trouble waits for the end of quiet hours
ends both: nobody reads in the morning what was over before it could be told. What was told before
the quiet hours began is told the end of.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hive import clock, signals
from hive.database import after_commit
from hive.kinds import DeliveryState, EventKind, Severity
from hive.models import Delivery, Event, Notification, Repository, RepositoryTag
from hive.sentences import say
from hive.services import runtime
from hive.services.outbox import audiences, condition, downtimes, recipients, texts
from hive.services.outbox.kinds import Matter, matter_of
from hive.services.outbox.routing import Destination, Person, fallback, route


@dataclass(frozen=True)
class Notice:
    """One message, in a title and lines; nobody gets the same `key` twice.

    Sentences among these are written in the language and time zone of each person.
    """

    key: str
    matter: Matter
    title: str
    lines: Sequence[str]
    details: Mapping[str, Any] = field(default_factory=dict)


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
    )
    url = texts.page_of(runtime.public_url(), subject.id)
    about = texts.AboutRepository(
        subject.name, subject.login, subject.owner, url, runtime.host_name()
    )
    details = {
        "event": event.id,
        "repository": subject.name,
        "owner": subject.owner,
        "message": str(event.message),
        "url": url,
    }
    title = texts.event_title(event.kind, subject.name, event.details)
    lines = texts.event_lines(event.kind, event.message, event.at, event.details, about)
    notice = Notice(f"event:{event.id}", matter, title, lines, details)
    now = clock.now()
    held = await downtimes.held_until(matter, now)
    found = audience.ways(matter, now)
    await _write(_held(found.ways, held), notice, now)
    if found.stand_ins:
        reasons = say("Nobody else could be notified: %(reasons)s.", reasons=found.why)
        instead = replace(notice, lines=[reasons, "", *lines])
        await _write(_held(found.stand_ins, held), instead, now)


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
    key: str, kind: str, severity: Severity, title: str, *lines: str, ends: Iterable[str] = ()
) -> None:
    """Tell every administrator of something that concerns the server; call in its transaction."""
    matter = Matter(kind, severity, ends=frozenset(ends), weight=Severity.WARNING)
    people = await recipients.load(await recipients.administrators())
    await tell(people, Notice(key, matter, title, lines))


async def tell(people: Collection[Person], notice: Notice) -> int:
    """Write the notifications and deliveries of these people; how many are notified."""
    now = clock.now()
    held = await downtimes.held_until(notice.matter, now)
    found = [(person, route(person, notice.matter, now)) for person in people]
    ways = [(person, times) for person, times in found if times is not None]
    return await _write(_held(ways, held), notice, now)


Ways = list[tuple[Person, dict[Destination, datetime]]]


def _held(
    ways: Sequence[tuple[Person, dict[Destination, datetime]]], until: datetime | None
) -> Ways:
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
    return await _write(ways, notice, now)


async def _write(ways: Ways, notice: Notice, now: datetime) -> int:
    """Write a row for each person, also for one whom no way leads to."""
    if not ways:
        return 0
    ids = [person.id for person, _ in ways]
    rows = await Notification.filter(key=notice.key, user_id__in=ids)
    told = {row.user_id for row in rows}
    written = 0
    for person, times in ways:
        if person.id in told:
            continue
        await _write_one(person, times, notice, now)
        written += 1
    if any(at <= now for _, times in ways for at in times.values()):
        after_commit(lambda: signals.tell(signals.DeliveriesWaiting()))
    return written


async def _write_one(
    person: Person, times: dict[Destination, datetime], notice: Notice, now: datetime
) -> None:
    matter, user_id = notice.matter, person.id
    row = await Notification.create(
        user_id=user_id,
        key=notice.key,
        kind=matter.kind,
        severity=matter.severity,
        repository_id=matter.repository_id,
        title=person.reader.title(notice.title),
        text=person.reader.text(notice.lines),
        details={**notice.details, **({"ends": sorted(matter.ends)} if matter.ends else {})},
        at=now,
    )
    for place, at in times.items():
        await _drop_older_reminders(user_id, place, matter)
        is_over = await _drop_what_is_over(user_id, place, matter, now)
        await Delivery.create(
            token=secrets.token_hex(16),
            notification_id=row.id,
            channel_id=place.channel_id,
            channel_name=place.name,
            channel_kind=place.kind,
            state=DeliveryState.DROPPED if is_over else DeliveryState.WAITING,
            next_at=None if is_over else at,
            created_at=now,
        )


async def _drop_older_reminders(user_id: int, place: Destination, matter: Matter) -> None:
    """One reminder that waits is enough, and none where its trouble is over."""
    reminder = str(EventKind.STILL_DOWN)
    if matter.repository_id is None or reminder not in {matter.kind, *matter.ends}:
        return
    older = condition.waiting(condition.lane_of(place.channel_id, user_id)).filter(
        notification__user_id=user_id,
        notification__repository_id=matter.repository_id,
        notification__kind=reminder,
    )
    ids = [row.id for row in await older]
    # those that wait for the end of quiet hours are looked at below, with their trouble
    waiting = Delivery.filter(id__in=ids, state=DeliveryState.WAITING)
    if matter.ends:
        waiting = waiting.filter(next_at__lte=clock.now())
    await waiting.update(state=DeliveryState.DROPPED, next_at=None)


async def _drop_what_is_over(
    user_id: int, place: Destination, matter: Matter, now: datetime
) -> bool:
    """Drop the tellings of the trouble that wait for a later hour; whether those were all."""
    if not matter.ends or matter.repository_id is None:
        return False  # what is about the server has kinds alone, and those say not which disk
    told = (
        await Delivery.filter(
            notification__user_id=user_id,
            notification__repository_id=matter.repository_id,
            notification__kind__in=[matter.kind, *matter.ends],
            channel_id=place.channel_id,
            channel_kind=place.kind,
        )
        .order_by("-id")
        .limit(50)
        .select_related("notification")
    )
    trouble = []
    for row in told:
        if ended := set(row.notification.details.get("ends", ())):
            if ended & matter.ends:
                break  # the end of the trouble before this one
            continue  # the end of another alarm
        if row.state != DeliveryState.DROPPED:
            trouble.append(row)
    if place.error:  # its end says it all, as soon as it can be said
        waiting = [row.id for row in trouble if row.state == DeliveryState.WAITING]
        await Delivery.filter(id__in=waiting, state=DeliveryState.WAITING).update(
            state=DeliveryState.DROPPED, next_at=None
        )
        return False
    held = [row for row in trouble if is_held(row, now)]
    await Delivery.filter(id__in=[row.id for row in held], state=DeliveryState.WAITING).update(
        state=DeliveryState.DROPPED, next_at=None
    )
    return bool(held) and len(held) == len(trouble)


def is_held(row: Delivery, now: datetime) -> bool:
    """Whether it waits for the end of quiet hours, and was not tried yet."""
    later = row.next_at is not None and row.next_at > now
    return row.state == DeliveryState.WAITING and row.attempts == 0 and later
