"""Which notifications people got, and what became of each delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hive import clock, signals
from hive.database import after_commit, transactional
from hive.errors import Conflict, NotFound
from hive.kinds import AttemptOutcome, DeliveryState, Severity
from hive.models import Delivery, DeliveryAttempt, Notification
from hive.services import audit, references
from hive.services.outbox import condition
from hive.services.outbox.condition import ChannelCondition
from hive.services.permissions import Actor

# What nobody sends any more.
_REPEATABLE = (DeliveryState.DEAD, DeliveryState.DROPPED)


@dataclass(frozen=True, kw_only=True)
class AttemptInfo:
    at: datetime
    seconds: float | None
    outcome: AttemptOutcome
    answer: str


@dataclass(frozen=True)
class ShortDelivery:
    """A delivery as its notification shows it: by what, and how far it is."""

    channel: str
    channel_kind: str
    state: DeliveryState


@dataclass(frozen=True, kw_only=True)
class DeliveryInfo:
    id: int
    notification_id: int
    user: str
    title: str
    channel: str
    channel_kind: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    created_at: datetime
    sent_at: datetime | None
    tries: tuple[AttemptInfo, ...]

    @property
    def may_be_repeated(self) -> bool:
        return self.state in _REPEATABLE


@dataclass(frozen=True, kw_only=True)
class NotificationInfo:
    """`repository` is its name at the time of the notification."""

    id: int
    user: str
    kind: str
    severity: Severity
    repository_id: int | None
    repository: str | None
    title: str
    text: str
    at: datetime
    ways: tuple[ShortDelivery, ...]


async def notifications(
    actor: Actor, *, user: str | int | None = None, limit: int = 100, before_id: int | None = None
) -> list[NotificationInfo]:
    """The newest first: one's own; for an administrator everybody's, or one user's."""
    query = Notification.all() if actor.sees_all else Notification.filter(user_id=actor.user_id)
    if user is not None:
        query = query.filter(user_id=(await references.person(actor, user)).id)
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    rows = await query.order_by("-id").limit(limit).select_related("user")
    ways: dict[int, list[ShortDelivery]] = {row.id: [] for row in rows}
    for one in await Delivery.filter(notification_id__in=list(ways)).order_by("id"):
        ways[one.notification_id].append(
            ShortDelivery(one.channel_name, one.channel_kind, one.state)
        )
    return [
        NotificationInfo(
            id=row.id,
            user=row.user.name,
            kind=row.kind,
            severity=row.severity,
            repository_id=row.repository_id,
            repository=row.details.get("repository"),
            title=row.title,
            text=row.text,
            at=row.at,
            ways=tuple(ways[row.id]),
        )
        for row in rows
    ]


async def deliveries(
    actor: Actor,
    *,
    user: str | int | None = None,
    dead: bool = False,
    limit: int = 100,
    before_id: int | None = None,
) -> list[DeliveryInfo]:
    """The newest first, with every attempt; of one's own notifications, or all."""
    query = Delivery.all()
    if not actor.sees_all:
        query = query.filter(notification__user_id=actor.user_id)
    if user is not None:
        query = query.filter(notification__user_id=(await references.person(actor, user)).id)
    if dead:
        query = query.filter(state=DeliveryState.DEAD)
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    rows = await query.order_by("-id").limit(limit).select_related("notification__user")
    tries: dict[int, list[AttemptInfo]] = {row.id: [] for row in rows}
    for one in await DeliveryAttempt.filter(delivery_id__in=list(tries)).order_by("id"):
        tries[one.delivery_id].append(
            AttemptInfo(at=one.at, seconds=one.seconds, outcome=one.outcome, answer=one.answer)
        )
    failing = await condition.failing()
    return [
        _info(
            row,
            tuple(tries[row.id]),
            failing.get(condition.lane_of(row.channel_id, row.notification.user_id)),
        )
        for row in rows
    ]


@transactional
async def repeat(actor: Actor, delivery_id: int) -> None:
    """Send again what was given up or dropped; under the same token, as the same message."""
    row = await Delivery.get_or_none(id=delivery_id).select_related("notification__user")
    if row is None or not (actor.manages_all or row.notification.user_id == actor.user_id):
        raise NotFound("There is no delivery %(delivery_id)s.", delivery_id=delivery_id)
    again = Delivery.filter(id=row.id, state__in=_REPEATABLE)
    now = clock.now()
    changed = await again.update(
        state=DeliveryState.WAITING, next_at=now, attempts=0, created_at=now
    )
    if not changed:
        raise Conflict(
            "Delivery %(delivery_id)s is %(state)s: there is nothing to repeat.",
            delivery_id=delivery_id,
            state=row.state,
        )
    await condition.try_at_once(condition.lane_of(row.channel_id, row.notification.user_id))
    await audit.record(actor, "delivery.repeat", f"delivery {delivery_id} by {row.channel_name}")
    after_commit(lambda: signals.tell(signals.DeliveriesWaiting()))


def _info(
    row: Delivery, tries: tuple[AttemptInfo, ...], known: ChannelCondition | None
) -> DeliveryInfo:
    """`known` where its channel fails: it is sent no sooner than that is tried again."""
    next_at = row.next_at
    if next_at is not None and known is not None and known.next_try is not None:
        next_at = max(next_at, known.next_try)
    return DeliveryInfo(
        id=row.id,
        notification_id=row.notification_id,
        user=row.notification.user.name,
        title=row.notification.title,
        channel=row.channel_name,
        channel_kind=row.channel_kind,
        state=row.state,
        attempts=row.attempts,
        next_at=next_at,
        created_at=row.created_at,
        sent_at=row.sent_at,
        tries=tries,
    )
