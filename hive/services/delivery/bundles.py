"""Puts messages together: a bundle is a separate notification, which its parts point to.

Only where the channel works: what fails is tried one by one, and a bundle that does not arrive is
taken apart again, so that what ends meanwhile can still be dropped.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from hive import layout
from hive.database import transactional
from hive.kinds import DeliveryState
from hive.models import Channel, Delivery, Notification
from hive.services import runtime
from hive.services.delivery import bundle_texts
from hive.services.delivery.bundle_plans import HOUR, LIMIT, Past, Plan, Ready, plan
from hive.services.delivery.ordering import Waiting
from hive.services.outbox import recipients, sending
from hive.services.outbox.condition import ChannelCondition, Lane
from hive.services.outbox.kinds import DIGEST
from hive.services.outbox.routing import OWN_MAIL
from hive.services.secrets import settings_of

_KEY = "bundle:"  # what the key of a notification that is one begins with


async def put_together(
    lanes: Mapping[Lane, Sequence[Waiting]],
    failing: Mapping[Lane, ChannelCondition],
    now: datetime,
) -> bool:
    """Make bundles of what can be sent now, and hold back what waits; whether anything changed."""
    changed = False
    for lane, rows in lanes.items():
        ready = [_ready(row) for row in rows if _may_be_part(row, now)]
        if not ready or lane in failing or not await _takes_bundles(lane, rows[0].channel_kind):
            continue
        past, held = await _past(lane, now), await _held(lane, now)
        limit = runtime.settings().notifications.messages_per_hour
        found = plan(ready, past, held, now, limit)
        if found.bundles or found.held:
            await _store(found, now)
            changed = True
    return changed


def _may_be_part(row: Waiting, now: datetime) -> bool:
    """Not what was tried already, which keeps its token, nor what is long enough itself."""
    is_whole = row.kind == DIGEST or row.key.startswith(_KEY)
    return row.attempts == 0 and row.next_at <= now and not is_whole


def _ready(row: Waiting) -> Ready:
    assert row.created_at is not None  # noqa: S101 - it is read with the others
    return Ready(row.id, row.user_id, row.kind, row.severity, row.created_at, row.held)


async def _takes_bundles(lane: Lane, kind: str) -> bool:
    if kind == OWN_MAIL:
        return True
    row = await Channel.get_or_none(id=lane[0] or 0)
    known = sending.channels().get(kind)
    return row is not None and known is not None and known.takes_bundles(settings_of(row))


async def _past(lane: Lane, now: datetime) -> list[Past]:
    """What was sent within the last hour, digests aside."""
    sent = Delivery.filter(sent_at__gt=now - HOUR, state=DeliveryState.SENT, channel_id=lane[0])
    if lane[0] is None:
        sent = sent.filter(notification__user_id=lane[1])
    columns = {
        "user_id": "notification__user_id",
        "kind": "notification__kind",
        "severity": "notification__severity",
        "key": "notification__key",
    }
    rows = await sent.exclude(notification__kind=DIGEST).values("sent_at", **columns)
    return [
        Past(
            row["user_id"],
            row["kind"],
            row["severity"],
            row["sent_at"],
            is_bundle=row["key"].startswith(_KEY),
        )
        for row in rows
    ]


async def _held(lane: Lane, now: datetime) -> dict[tuple[int, str], datetime]:
    """Until when others wait already, by person and kind; those of the limit as LIMIT."""
    waiting = Delivery.filter(
        state=DeliveryState.WAITING, next_at__gt=now, channel_id=lane[0]
    ).exclude(held="")
    if lane[0] is None:
        waiting = waiting.filter(notification__user_id=lane[1])
    found: dict[tuple[int, str], datetime] = {}
    for row in await waiting.values(
        "held", "next_at", user="notification__user_id", kind="notification__kind"
    ):
        group = row["user"], LIMIT if row["held"] == LIMIT else row["kind"]
        found[group] = max(row["next_at"], found.get(group, row["next_at"]))
    return found


async def _store(found: Plan, now: datetime) -> None:
    for ids in found.bundles:
        await _bundle(ids, now)
    await _hold(found.held)


@transactional
async def _hold(held: Mapping[int, tuple[datetime, str]]) -> None:
    for delivery_id, (until, why) in held.items():
        waiting = Delivery.filter(id=delivery_id, state=DeliveryState.WAITING)
        await waiting.update(next_at=until, held=why)


@transactional
async def _bundle(ids: Collection[int], now: datetime) -> None:
    """Make one delivery of many; of those that still wait."""
    rows = (
        await Delivery.filter(id__in=list(ids), state=DeliveryState.WAITING)
        .order_by("id")
        .select_related("notification__user")
    )
    if len(rows) < 2:
        return
    first = rows[0]
    told = [row.notification for row in rows]
    reader = recipients.reader_of(first.notification.user)
    is_late = any(row.held == LIMIT for row in rows)
    text = bundle_texts.compose(told, is_late=is_late, url=runtime.public_url())
    blocks = layout.read_by(text.blocks, reader.line)
    token = secrets.token_hex(16)
    repositories = {one.repository_id for one in told}
    notification = await Notification.create(
        user_id=first.notification.user_id,
        key=f"{_KEY}{token}",
        kind=text.kind,
        severity=text.severity,
        repository_id=repositories.pop() if len(repositories) == 1 else None,
        title=reader.title(text.title),
        text=reader.text(layout.as_lines(blocks)),
        layout=layout.store(blocks),
        details=text.details,
        at=now,
    )
    bundle = await Delivery.create(
        token=token,
        notification_id=notification.id,
        channel_id=first.channel_id,
        channel_name=first.channel_name,
        channel_kind=first.channel_kind,
        state=DeliveryState.WAITING,
        next_at=now,
        created_at=min(row.created_at for row in rows),
    )
    await Delivery.filter(id__in=[row.id for row in rows]).update(
        state=DeliveryState.BUNDLED, bundle_id=bundle.id, next_at=None
    )


@transactional
async def take_apart(row: Delivery) -> None:
    """The bundle was not accepted: its parts wait again, and it is dropped."""
    if not row.notification.key.startswith(_KEY):
        return
    parts = Delivery.filter(bundle_id=row.id, state=DeliveryState.BUNDLED)
    await parts.update(state=DeliveryState.WAITING, bundle_id=None, next_at=row.next_at, held="")
    await Delivery.filter(id=row.id).update(state=DeliveryState.DROPPED, next_at=None)
