"""The rows of the outbox on their way: claimed, sent, tried again, given up.

WAITING -> SENDING -> SENT, or back to WAITING for another try, or DEAD. Each step is a
compare-and-set. What a server was sending when it was killed is sent again under the same token:
nobody knows whether it arrived, and a receiver that gets it twice recognizes that token.

When the next try comes is a matter of the channel (condition.py). A message that fails while its
channel takes others waits on its own, so that it neither stops them nor is given up at once.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tortoise.expressions import Q, Subquery

from hive import clock, log
from hive.database import transactional
from hive.kinds import AttemptOutcome, DeliveryState
from hive.models import Delivery, DeliveryAttempt, Notification, User
from hive.sentences import say
from hive.services.clock import trust
from hive.services.delivery import bundles, ordering
from hive.services.delivery.ordering import Waiting
from hive.services.outbox import condition
from hive.services.outbox.condition import ChannelCondition, Lane, lane_of

logger = log.get(__name__)

_BACKOFF = (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600)  # seconds; then twice a day
_SELDOM = 12 * 3600
_EXPIRES = timedelta(days=3)  # what could not be sent by then is news to nobody
_LONGEST_WAIT = timedelta(days=2)  # quiet hours, or the longest pause between two tries
_BATCH = 500  # that are forgotten in one transaction
_KEPT = timedelta(days=90)
_MAX_ANSWER = 2_000


@dataclass(frozen=True)
class Failure:
    answer: str
    is_permanent: bool
    retry_after: float | None = None
    address: str | None = None  # a private one that nobody allowed


async def due(busy: Collection[Lane] = (), sending: Collection[int] = ()) -> list[Delivery]:
    """What can be sent now by channels that are not `busy`, in its order.

    `sending` are those that somebody sends just now.
    """
    await take_up_again(sending)
    now = clock.now()
    failing = await condition.failing()
    lanes = await _lanes(busy, now)
    if await bundles.put_together(lanes, failing, now):
        lanes = await _lanes(busy, now)
    chosen: list[int] = []
    for lane, waiting_rows in lanes.items():
        chosen += ordering.choose(waiting_rows, failing.get(lane, ChannelCondition()), now)
    found = await Delivery.filter(id__in=chosen, state=DeliveryState.WAITING).select_related(
        "notification__user"
    )
    place = {row_id: number for number, row_id in enumerate(chosen)}
    return sorted(found, key=lambda row: place[row.id])


async def _lanes(busy: Collection[Lane], now: datetime) -> dict[Lane, list[Waiting]]:
    """What waits and may be sent, by the channels that it is for."""
    rows = (
        await Delivery.filter(state=DeliveryState.WAITING)
        .filter(Q(next_at__lte=now) | Q(attempts__gt=0))
        .order_by("id")
        .values(
            "id",
            "channel_id",
            "channel_kind",
            "next_at",
            "attempts",
            "created_at",
            "held",
            user_id="notification__user_id",
            repository_id="notification__repository_id",
            severity="notification__severity",
            kind="notification__kind",
            key="notification__key",
        )
    )
    lanes: dict[Lane, list[Waiting]] = {}
    for row in rows:
        waiting = Waiting(**row)
        if waiting.lane not in busy:
            lanes.setdefault(waiting.lane, []).append(waiting)
    return lanes


def lane_of_row(row: Delivery) -> Lane:
    """What is sent one after the other: a channel, or somebody's own address."""
    return lane_of(row.channel_id, row.notification.user_id)


async def next_at() -> datetime | None:
    """When there is something to send that cannot be sent now, as far as is known."""
    now = clock.now()
    later = Delivery.filter(state=DeliveryState.WAITING, next_at__gt=now)
    row = await later.order_by("next_at").first()
    tries = [one.next_try for one in (await condition.failing()).values() if one.next_try]
    moments = [at for at in (row.next_at if row else None, *tries) if at is not None and at > now]
    return min(moments, default=None)


@transactional
async def bring_back() -> int:
    """Send what waits for a time that a wrong clock has put far ahead."""
    now = clock.now()
    latest = now + _LONGEST_WAIT
    waiting = Delivery.filter(state=DeliveryState.WAITING, next_at__gt=latest)
    return await waiting.update(next_at=now) + await condition.bring_back(latest)


@transactional
async def claim(row: Delivery) -> bool:
    """Take it to be sent; False where somebody else did, or it is no longer wanted."""
    waiting = Delivery.filter(id=row.id, state=DeliveryState.WAITING)
    return await waiting.update(state=DeliveryState.SENDING, attempts=row.attempts + 1) == 1


@transactional
async def note_sent(row: Delivery, answer: str, seconds: float) -> bool:
    """Whether its channel had failed before."""
    now = clock.now()
    await Delivery.filter(id=row.id).update(state=DeliveryState.SENT, sent_at=now, next_at=None)
    await _attempt(row.id, AttemptOutcome.SENT, answer, seconds)
    return await condition.note_works(lane_of_row(row))


@transactional
async def note_failed(row: Delivery, failure: Failure, seconds: float) -> bool:
    """Keep it for another try, or give it up; whether its channel may go on with the next one."""
    outcome = AttemptOutcome.PERMANENT if failure.is_permanent else AttemptOutcome.PASSING
    lane = lane_of_row(row)
    is_alone = not failure.is_permanent and await _fails_alone(row, lane)
    await _attempt(row.id, outcome, failure.answer, seconds)
    now = clock.now()
    is_old = now > row.created_at + _EXPIRES and await trust.is_trusted()
    if failure.is_permanent:
        state: DeliveryState | None = DeliveryState.DEAD
    elif is_alone and is_old:
        state = DeliveryState.DEAD
    else:
        state = DeliveryState.WAITING
    values: dict[str, Any] = {
        "state": state,
        "next_at": None if state == DeliveryState.DEAD else row.next_at,
    }
    if is_alone and state == DeliveryState.WAITING:
        values["next_at"] = now + backoff(row.attempts + 1, failure.retry_after)
    await Delivery.filter(id=row.id).update(**values)
    if not is_alone:
        await condition.note_fails(
            lane,
            failure.answer,
            is_permanent=failure.is_permanent,
            retry_after=failure.retry_after,
            address=failure.address,
        )
        if not failure.is_permanent:
            await bundles.take_apart(row)
    return failure.is_permanent or is_alone


async def _fails_alone(row: Delivery, lane: Lane) -> bool:
    """Whether the channel took another message since this one failed before."""
    last = await DeliveryAttempt.filter(delivery_id=row.id).order_by("-id").first()
    if row.attempts == 0 or last is None:
        return False
    worked_at = (await condition.get(lane)).worked_at
    return worked_at is not None and worked_at > last.at


@transactional
async def give_up_old(lane: Lane) -> list[Delivery]:
    """Give up what waits for a channel that has failed for longer than anything is news.

    Nothing while the clock cannot be trusted.
    """
    known = await condition.get(lane)
    before = clock.now() - _EXPIRES
    is_young = known.failing_since is None or known.failing_since > before
    if is_young or not await trust.is_trusted():
        return []
    old = condition.waiting(lane).filter(created_at__lt=before)
    rows = await old.order_by("id").select_related("notification__user")
    await Delivery.filter(id__in=[row.id for row in rows], state=DeliveryState.WAITING).update(
        state=DeliveryState.DEAD, next_at=None
    )
    return rows


def backoff(attempts: int, retry_after: float | None = None) -> timedelta:
    """How long one message waits after this many tries."""
    usual = _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else _SELDOM
    jittered = usual * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
    return timedelta(seconds=max(jittered, min(retry_after or 0.0, 6 * 3600.0)))


async def is_wanted(row: Delivery) -> bool:
    """Not where its user was disabled since it was written."""
    return await User.filter(id=row.notification.user_id, enabled=True).exists()


@transactional
async def drop(row: Delivery, why: str) -> None:
    """It is not wanted any more: its channel was switched off or deleted, its user disabled."""
    waiting = Delivery.filter(id=row.id, state=DeliveryState.WAITING)
    await waiting.update(state=DeliveryState.DROPPED, next_at=None)
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


async def take_up_again(sending: Collection[int] = ()) -> int:
    """Have sent again what nobody sends: its server was killed, or its task broke off."""
    # `sending` is looked at after the rows, and knows of each before that is claimed
    rows = await Delivery.filter(state=DeliveryState.SENDING)
    lost = [row for row in rows if row.id not in sending]
    for row in lost:
        await _take_up_again(row)
    if lost:
        logger.warning("what was being sent when it was cut off is sent again", count=len(lost))
    return len(lost)


@transactional
async def _take_up_again(row: Delivery) -> None:
    # at once, but for what is cut off again and again
    pause = backoff(row.attempts) if row.attempts > 1 else timedelta(0)
    sent = Delivery.filter(id=row.id, state=DeliveryState.SENDING, attempts=row.attempts)
    if await sent.update(state=DeliveryState.WAITING, next_at=clock.now() + pause):
        await _attempt(
            row.id, AttemptOutcome.INTERRUPTED, say("The attempt was interrupted."), None
        )


async def thin_out() -> int:
    """Delete what was sent long ago; what waits stays."""
    waits = Delivery.filter(state__in=(DeliveryState.WAITING, DeliveryState.SENDING))
    old = Notification.filter(at__lt=clock.now() - _KEPT).exclude(
        id__in=Subquery(waits.values("notification_id"))
    )
    forgotten = 0
    while ids := [row.id for row in await old.order_by("id").limit(_BATCH).only("id")]:
        await _forget(ids)
        forgotten += len(ids)
    return forgotten


@transactional
async def _forget(ids: list[int]) -> None:
    await Notification.filter(id__in=ids).delete()


async def address_of(row: Delivery) -> str:
    """The person's own mail address, as it is now."""
    user = await User.get(id=row.notification.user_id)
    return user.email or ""
