"""The rows of the outbox on their way: claimed, sent, tried again, given up.

WAITING -> SENDING -> SENT, or back to WAITING for another try, or DEAD. Each step is a
compare-and-set. What a server was sending when it was killed is sent again under the same token:
nobody knows whether it arrived, and whoever gets it twice knows it by that token.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.expressions import Q, Subquery

from hive import clock, log
from hive.database import transactional
from hive.kinds import AttemptOutcome, DeliveryState, Severity
from hive.models import Delivery, DeliveryAttempt, Notification, User
from hive.services import time_trust
from hive.services.notifications import outbox, recipients, texts
from hive.services.notifications.kinds import DEAD_LETTER, Matter
from hive.services.notifications.outbox import Notice
from hive.services.notifications.routes import Place

logger = log.get(__name__)

Lane = tuple[int | None, int]

_BACKOFF = (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600)  # seconds; then twice a day
_SELDOM = 12 * 3600
_EXPIRES = timedelta(days=3)  # what could not be sent by then is news to nobody
_LONGEST_WAIT = timedelta(days=2)  # quiet hours, or the longest pause between two tries
_LONGEST_WISH = 6 * 3600.0  # seconds by which a far end may put us off
_AT_ONCE = 20  # of one lane, before it is looked at anew
_BATCH = 500  # that are forgotten in one transaction
_KEPT = timedelta(days=90)
_MAX_ANSWER = 2_000


@dataclass(frozen=True)
class Failure:
    answer: str
    is_permanent: bool
    retry_after: float | None = None


async def due(busy: Collection[Lane] = (), sending: Collection[int] = ()) -> list[Delivery]:
    """What can be sent now by lanes that are not `busy`, in its order.

    What one channel tells of one repository is told in order: while the first is tried again, the
    later ones wait. What is only held by quiet hours holds nobody up. `sending` are those that
    somebody sends just now.
    """
    await take_up_again(sending)
    waiting = Delivery.filter(state=DeliveryState.WAITING)
    now = clock.now()
    # all of them, but little of each: one lane with a backlog must not hide the others
    rows = (
        await waiting.filter(Q(next_at__lte=now) | Q(attempts__gt=0))
        .order_by("id")
        .values_list(
            "id", "channel_id", "next_at", "notification__user_id", "notification__repository_id"
        )
    )
    chosen: list[int] = []
    count: Counter[Lane] = Counter()
    held_up: set[tuple[Lane, int | None]] = set()
    for row_id, channel_id, next_at, user_id, repository_id in rows:
        lane = _lane(channel_id, user_id)
        if lane in busy or count[lane] >= _AT_ONCE or (lane, repository_id) in held_up:
            continue
        if next_at > now:
            held_up.add((lane, repository_id))
        else:
            count[lane] += 1
            chosen.append(row_id)
    return await waiting.filter(id__in=chosen).order_by("id").select_related("notification__user")


def lane_of(row: Delivery) -> Lane:
    """What is sent one after the other: a channel, or somebody's own address."""
    return _lane(row.channel_id, row.notification.user_id)


def _lane(channel_id: int | None, user_id: int) -> Lane:
    return channel_id, 0 if channel_id is not None else user_id


async def next_at() -> datetime | None:
    """When there is something to send that cannot be sent now, as far as is known."""
    later = Delivery.filter(state=DeliveryState.WAITING, next_at__gt=clock.now())
    row = await later.order_by("next_at").first()
    return None if row is None else row.next_at


@transactional
async def bring_back() -> int:
    """Send what waits for a time that a wrong clock has put far ahead."""
    now = clock.now()
    waiting = Delivery.filter(state=DeliveryState.WAITING, next_at__gt=now + _LONGEST_WAIT)
    return await waiting.update(next_at=now)


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
    # after a long downtime the first try comes late, and is not the only one for that
    in_time = row.attempts == 0 or now + pause <= row.created_at + _EXPIRES
    in_time = in_time or not await time_trust.is_trusted()
    if not failure.is_permanent and in_time:
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


async def _tell_dead(row: Delivery, answer: str, now: datetime) -> None:
    if row.notification.kind == DEAD_LETTER:
        return
    place = Place(row.channel_id, row.channel_name, row.channel_kind)
    title = f"Channel {row.channel_name}: a notification could not be delivered"
    text = texts.whole_text(
        [
            f"Not delivered: {row.notification.title}",
            f"To: {row.notification.user.name}",
            "",
            f"The far end said: {texts.one_line(answer, 500)}",
            "",
            "Correct the channel, then send it again: hive delivery list --dead shows it.",
        ]
    )
    key = f"dead:{row.channel_kind}:{row.channel_id or 0}:{now:%Y-%m-%d}"
    matter = Matter(DEAD_LETTER, Severity.WARNING)
    notice = Notice(key, matter, texts.one_line(title), text)
    user_id = row.notification.user_id
    await outbox.tell_aside(await recipients.load([user_id]), notice, place)
    others = await recipients.administrators() - {user_id}
    await outbox.tell(await recipients.load(others), notice)


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
        await _attempt(row.id, AttemptOutcome.INTERRUPTED, "It was cut off meanwhile.", None)


async def thin_out() -> int:
    """Forget what was told long ago; what waits stays."""
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
