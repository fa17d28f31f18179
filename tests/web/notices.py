"""Channels and notifications for tests of the pages that show them."""

from __future__ import annotations

from typing import Any

from hive import clock
from hive.kinds import DeliveryState, EventKind, Severity
from hive.models import Delivery, Notification
from hive.services.notifications import channels
from hive.services.notifications.channels import ChannelInfo
from hive.services.permissions import Actor

HERE = "/notifications"
TOKEN = "tk_a-token-that-nobody-sees"


async def phone(owner: Actor, name: str = "phone") -> ChannelInfo:
    settings = {"server": "https://ntfy.example.org", "topic": "backups", "token": TOKEN}
    return await channels.add(owner, name, owner=owner.name, kind="ntfy", settings=settings)


async def notification(person: Actor, key: str = "event:1", **given: Any) -> Notification:
    values: dict[str, Any] = {
        "kind": EventKind.DOWN,
        "severity": Severity.CRITICAL,
        "title": "documents: a backup is missing",
        "text": "The last one was 9 days ago.\n\nSee whether the client is on.",
        "at": clock.now(),
    }
    return await Notification.create(user_id=person.user_id, key=key, **{**values, **given})


async def delivery(told: Notification, state: DeliveryState, **given: Any) -> Delivery:
    values: dict[str, Any] = {"channel_name": "phone", "channel_kind": "ntfy"}
    values |= {"token": f"{told.id}", "created_at": clock.now(), **given}
    return await Delivery.create(notification_id=told.id, state=state, **values)
