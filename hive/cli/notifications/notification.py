"""hive notification and hive delivery: what was sent, and whether it arrived."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import server_was_told, with_hive
from hive.services.notifications import history
from hive.services.notifications.history import DeliveryInfo, NotificationInfo
from hive.services.permissions import Actor


@click.group()
def notification() -> None:
    """Notifications to users."""


@notification.command("list")
@click.option("--user", metavar="U")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@output.list_options
@with_hive
async def list_notifications(actor: Actor, user: str | None, limit: int) -> None:
    """List notifications, the newest first."""
    infos = await history.notifications(actor, user=user, limit=limit)
    output.show_list(
        [_notification(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "AT": lambda info: info.at,
            "USER": lambda info: info.user,
            "SEVERITY": lambda info: info.severity,
            "TITLE": lambda info: info.title,
        },
        infos,
        details=("ID",),
    )


def _notification(info: NotificationInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "at": output.time(info.at),
        "user": info.user,
        "kind": info.kind,
        "severity": info.severity,
        "repository": info.repository_id,
        "title": info.title,
        "text": info.text,
    }


@click.group()
def delivery() -> None:
    """Deliveries of notifications, one for each channel."""


@delivery.command("list")
@click.option("--dead", is_flag=True, help="Show only deliveries that were given up.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@output.list_options
@with_hive
async def list_deliveries(actor: Actor, dead: bool, limit: int) -> None:
    """List deliveries, the newest first."""
    infos = await history.deliveries(actor, dead=dead, limit=limit)
    output.show_list(
        [_delivery(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "USER": lambda info: info.user,
            "CHANNEL": lambda info: info.channel,
            "STATE": lambda info: info.state,
            "TRIES": lambda info: info.attempts,
            "NEXT": lambda info: info.next_at,
            "TITLE": lambda info: info.title,
            "ANSWER": lambda info: info.tries[-1].answer[:80] if info.tries else None,
        },
        infos,
        details=("NEXT", "TRIES", "ANSWER"),
    )


def _delivery(info: DeliveryInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "notification": info.notification_id,
        "user": info.user,
        "title": info.title,
        "channel": info.channel,
        "kind": info.channel_kind,
        "state": info.state,
        "attempts": [
            {
                "at": output.time(one.at),
                "seconds": one.seconds,
                "outcome": one.outcome,
                "answer": one.answer,
            }
            for one in info.tries
        ],
        "next_at": output.time(info.next_at),
        "created_at": output.time(info.created_at),
        "sent_at": output.time(info.sent_at),
    }


@delivery.command("repeat")
@click.argument("delivery_id", type=values.ID, metavar="ID")
@output.json_option
@with_hive
async def repeat(actor: Actor, delivery_id: int) -> None:
    """Queue a delivery that was given up again."""
    await history.repeat(actor, delivery_id)
    when = "now" if await server_was_told() else "when the server runs"
    output.show_done(
        {"id": delivery_id},
        f"Delivery {delivery_id} is queued and will be sent {when}; see `hive delivery list`.",
    )
