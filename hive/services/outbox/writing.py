"""Notifications and deliveries as rows; what they end or replace while it waits is dropped.

A recovery that comes while its problem waits for the end of quiet hours, or to be sent with others,
ends both: nobody reads what was over before it could be told. Where a channel failed, only the
recovery is sent, which says from when to when the problem lasted.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hive import clock, layout, signals
from hive.database import after_commit
from hive.kinds import DeliveryState, EventKind, Severity
from hive.layout import Block
from hive.models import Delivery, Notification
from hive.services.outbox import condition, incidents
from hive.services.outbox.incidents import Phase
from hive.services.outbox.kinds import Matter
from hive.services.outbox.routing import Destination, Person
from hive.services.outbox.texts import BRIEF_MAX, one_line

Ways = Sequence[tuple[Person, dict[Destination, datetime]]]

_MOST_LOOKED_AT = 50


@dataclass(frozen=True)
class Notice:
    """One message, in a title and lines, or blocks; nobody gets the same `key` twice.

    Sentences among these are written in the language and time zone of each person. `brief` is the
    message in one line, for a list of several.
    """

    key: str
    matter: Matter
    title: str
    lines: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    blocks: Sequence[Block] = ()
    brief: str = ""
    phase: Phase | None = None  # None: as the severity says

    @property
    def incident(self) -> str | None:
        """The problem that it is about; what has no weight is about none."""
        if self.matter.incident is not None and self.at is not None:
            return self.matter.incident
        is_problem = self.matter.severity in (Severity.WARNING, Severity.CRITICAL)
        return incidents.of_server(self.key) if is_problem else None

    @property
    def at(self) -> Phase | None:
        """Where the problem is by it."""
        return self.phase or incidents.phase_of(self.matter.severity)


async def write(ways: Ways, notice: Notice, now: datetime) -> int:
    """Write a row for each person, also for one whom no way leads to; how many are new."""
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
    matter, incident = notice.matter, notice.incident
    blocks = layout.read_by(notice.blocks, person.reader.line)
    phase = {} if incident is None else {"incident": incident, "phase": notice.at}
    row = await Notification.create(
        user_id=person.id,
        key=notice.key,
        kind=matter.kind,
        severity=matter.severity,
        repository_id=matter.repository_id,
        title=person.reader.title(notice.title),
        text=person.reader.text(layout.as_lines(blocks) if blocks else notice.lines),
        brief=one_line(person.reader.line(notice.brief), BRIEF_MAX),
        incident=incident,
        layout=layout.store(blocks) if blocks else None,
        details={**notice.details, **phase},
        at=now,
    )
    for place, at in times.items():
        await _drop_older_reminders(person.id, place, matter)
        is_over = await _drop_what_is_over(person.id, place, notice, now)
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
    user_id: int, place: Destination, notice: Notice, now: datetime
) -> bool:
    """Drop the tellings of the trouble that wait for a later hour; whether those were all."""
    if notice.at != Phase.RESOLVED or notice.incident is None:
        return False
    trouble = await _untold_end(user_id, place, notice.incident)
    if place.error:  # its end says it all, as soon as it can be said
        await _drop([row for row in trouble if row.state == DeliveryState.WAITING])
        return False
    held = [row for row in trouble if is_held(row, now)]
    await _drop(held)
    return bool(held) and len(held) == len(trouble)


async def _untold_end(user_id: int, place: Destination, incident: str) -> list[Delivery]:
    """What this place was to tell of a problem since it began the last time."""
    told = (
        await Delivery.filter(
            notification__user_id=user_id,
            notification__incident=incident,
            channel_id=place.channel_id,
            channel_kind=place.kind,
        )
        .order_by("-id")
        .limit(_MOST_LOOKED_AT)
        .select_related("notification")
    )
    trouble = []
    for row in told:
        phase = row.notification.details.get("phase")
        if phase == Phase.RESOLVED:
            break  # the end of the problem before this one
        if phase == Phase.OPEN and row.state != DeliveryState.DROPPED:
            trouble.append(row)
    return trouble


async def _drop(rows: Sequence[Delivery]) -> None:
    waiting = Delivery.filter(id__in=[row.id for row in rows], state=DeliveryState.WAITING)
    await waiting.update(state=DeliveryState.DROPPED, next_at=None)


def is_held(row: Delivery, now: datetime) -> bool:
    """Whether it waits for a later hour, and was not tried yet."""
    later = row.next_at is not None and row.next_at > now
    return row.state == DeliveryState.WAITING and row.attempts == 0 and later
