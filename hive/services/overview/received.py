"""What the page shows of the notifications that a person got, asked for with one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hive.services.notifications import channels, history, rules
from hive.services.notifications.channels import ChannelInfo
from hive.services.notifications.history import NotificationInfo
from hive.services.outbox import condition
from hive.services.outbox.condition import ChannelCondition
from hive.services.permissions import Actor
from hive.services.repositories import catalogue

_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class Received:
    """One page of a person's notifications, and what keeps others from them.

    older         the `before_id` of the next page, if there is one
    failing       the person's enabled channels that fail
    mail          how sending to the person's own mail address goes
    can_be_told   whether there is any way to notify the person
    repositories  OWNER/NAME of those of the page that the actor may see, by id
    """

    notifications: Sequence[NotificationInfo]
    older: int | None
    failing: Sequence[ChannelInfo]
    mail: ChannelCondition
    can_be_told: bool
    repositories: Mapping[int, str]


async def received(actor: Actor, user_id: int, *, before_id: int | None = None) -> Received:
    """One's own; for an administrator anybody's. NotFound for everybody else."""
    rows = await history.notifications(actor, user=user_id, limit=_ROWS + 1, before_id=before_id)
    return Received(
        notifications=rows[:_ROWS],
        older=rows[_ROWS - 1].id if len(rows) > _ROWS else None,
        failing=await channels.list_failing(actor, owner_id=user_id),
        mail=await condition.get((None, user_id)),
        can_be_told=await rules.can_be_told(actor, user_id),
        repositories=await catalogue.references_of(
            actor, [row.repository_id for row in rows if row.repository_id is not None]
        ),
    )
