"""The rows of the outbox on their way: claimed, sent, tried again, given up.

WAITING -> SENDING -> SENT, or back to WAITING for another try, or DEAD. Each step is a
compare-and-set. What a server was sending when it was killed is sent again under the same token:
nobody knows whether it arrived, and whoever gets it twice knows it by that token.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.database import transactional
from hive.kinds import AttemptOutcome, DeliveryState, Severity
from hive.models import Delivery, DeliveryAttempt, User
from hive.services.notifications import outbox, recipients, texts
from hive.services.notifications.kinds import DEAD_LETTER, Matter
from hive.services.notifications.outbox import Notice
from hive.services.notifications.routes import Place

_BACKOFF = (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600)  # seconds; then twice a day
_SELDOM = 12 * 3600
_EXPIRES = timedelta(days=3)  # what could not be sent by then is news to nobody
_LONGEST_WISH = 6 * 3600.0  # seconds by which a far end may put us off
_AT_ONCE = 200  # rows that are looked at in one go
_KEPT = timedelta(days=90)
_MAX_ANSWER = 2_000


@dataclass(frozen=True)
class Failure:
    answer: str
    is_permanent: bool
    retry_after: float | None = None


async def due() -> list[Delivery]:
    """What can be sent now, in its order; nothing that would overtake a former try.

    What one channel tells of one repository is told in order: while the first is tried again, the
    later ones wait. What is only held by quiet hours holds nobody up.
    """
    now = clock.now()
    query = Delivery.filter(state=DeliveryState.WAITING, next_at__lte=now)
    rows = await query.order_by("id").limit(_AT_ONCE).select_related("notification__user")
    tried = Delivery.filter(state=DeliveryState.WAITING, next_at__gt=now, attempts__gt=0)
    held_up = {
        (lane_of(row), row.notification.repository_id): row.id
        for row in await tried.order_by("-id").select_related("notification")
    }
    return [
        row
        for row in rows
        if held_up.get((lane_of(row), row.notification.repository_id), row.id) >= row.id
    ]


def lane_of(row: Delivery) -> tuple[int | None, int]:
    """What is sent one after the other: a channel, or somebody's own address."""
    return row.channel_id, 0 if row.channel_id is not None else row.notification.user_id


async def next_at() -> datetime | None:
    """When there is something to send next, as far as is known."""
    row = await Delivery.filter(state=DeliveryState.WAITING).order_by("next_at").first()
    return None if row is None else row.next_at


@transactional
async def claim(row: Delivery) -> bool:
    """Take it to be sent; False where somebody else did, or it is no longer wanted."""
    waiting = Delivery.filter(id=row.id, state=DeliveryState.WAITING)
    return await waiting.update(state=DeliveryState.SENDING, attempts=row.attempts + 1) == 1


@transactional
async def note_sent(row: Delivery, answer: str, seconds: float) -> None:
    now = clock.now()
    await Delivery.filter(id=row.id).update(state=DeliveryState.SENT, sent_at=now, next_at=None)
    await _attempt(row.id, AttemptOutcome.SENT, answer, seconds)


@transactional
async def note_failed(row: Delivery, failure: Failure, seconds: float) -> None:
    """Plan the next try, or give up; then its person is told by other ways, once a day."""
    now = clock.now()
    outcome = AttemptOutcome.PERMANENT if failure.is_permanent else AttemptOutcome.PASSING
    await _attempt(row.id, outcome, failure.answer, seconds)
    pause = backoff(row.attempts + 1, failure.retry_after)
    if not failure.is_permanent and now + pause <= row.created_at + _EXPIRES:
        again = {"state": DeliveryState.WAITING, "next_at": now + pause}
        await Delivery.filter(id=row.id).update(**again)
        return
    await Delivery.filter(id=row.id).update(state=DeliveryState.DEAD, next_at=None)
    await _tell_dead(row, failure.answer, now)


def backoff(attempts: int, retry_after: float | None = None) -> timedelta:
    """How long to wait after so many tries; longer where the far end wishes it, within bounds."""
    usual = _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else _SELDOM
    jittered = usual * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
    return timedelta(seconds=max(jittered, min(retry_after or 0.0, _LONGEST_WISH)))


@transactional
async def drop(row: Delivery, why: str) -> None:
    """It is not wanted any more: its channel was switched off or deleted."""
    await Delivery.filter(id=row.id).update(state=DeliveryState.DROPPED, next_at=None)
    await _attempt(row.id, AttemptOutcome.PERMANENT, why, None)


async def _attempt(
    delivery_id: int, outcome: AttemptOutcome, answer: str, seconds: float | None
) -> None:
    await DeliveryAttempt.create(
        delivery_id=delivery_id,
        at=clock.now(),
        seconds=seconds,
        outcome=outcome,
        answer=answer[:_MAX_ANSWER],
    )


async def _tell_dead(row: Delivery, answer: str, now: datetime) -> None:
    if row.notification.kind == DEAD_LETTER:
        return
    place = Place(row.channel_id, row.channel_name, row.channel_kind)
    title = f"Channel {row.channel_name}: a notification could not be delivered"
    text = texts.whole_text(
        [
            f"Not delivered: {row.notification.title}",
            "",
            f"The far end said: {texts.one_line(answer, 500)}",
            "",
            "Correct the channel, then send it again: hive delivery list --dead shows it.",
        ]
    )
    key = f"dead:{row.channel_kind}:{row.channel_id or 0}:{now:%Y-%m-%d}"
    matter = Matter(DEAD_LETTER, Severity.WARNING)
    people = await recipients.load([row.notification.user_id])
    await outbox.tell_aside(people, Notice(key, matter, texts.one_line(title), text), place)


@transactional
async def take_up_again() -> int:
    """Have sent again what a killed server was sending; call at start."""
    rows = await Delivery.filter(state=DeliveryState.SENDING)
    for row in rows:
        await Delivery.filter(id=row.id).update(state=DeliveryState.WAITING, next_at=clock.now())
        await _attempt(row.id, AttemptOutcome.INTERRUPTED, "The server ended meanwhile.", None)
    return len(rows)


@transactional
async def thin_out() -> int:
    """Forget what was told long ago; what waits stays."""
    old = Delivery.filter(created_at__lt=clock.now() - _KEPT)
    done = (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.DROPPED)
    return await old.filter(state__in=done).delete()


async def address_of(row: Delivery) -> str:
    """The person's own mail address, as it is now."""
    user = await User.get(id=row.notification.user_id)
    return user.email or ""
