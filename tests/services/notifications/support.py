"""Short words for what these tests do again and again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hive import clock
from hive.database import transactional
from hive.kinds import DeliveryState, EventKind
from hive.models import Delivery
from hive.services import events
from hive.services.delivery.courier import Courier
from hive.services.permissions import Actor
from tests.factories import make_webhook

NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")  # a Monday


webhook = make_webhook


def at(when: datetime) -> None:
    clock.use(lambda: when)


@transactional
async def happen_often(repository_id: int, kind: EventKind, times: int) -> None:
    for number in range(times):
        await events.record(repository_id, kind, f"Number {number}.")


@transactional
async def happen(repository_id: int, kind: EventKind, message: str = "It.", **details: Any) -> None:
    await events.record(repository_id, kind, message, **details)


async def deliver(courier: Courier) -> None:
    """Send all that is due now."""
    while tasks := await courier.look():
        await asyncio.gather(*tasks)


async def states() -> list[DeliveryState]:
    return [row.state for row in await Delivery.all().order_by("id")]


async def told_to(actor: Actor) -> list[str]:
    rows = Delivery.filter(notification__user_id=actor.user_id).order_by("id")
    return [row.notification.kind for row in await rows.select_related("notification")]


def later(**span: float) -> datetime:
    """Move the clock."""
    when = clock.now() + timedelta(**span)
    at(when)
    return when
