"""Alarms: told once as events with their numbers in `details`, until what they tell of is over.

What is alarming stands in hive/services/alarm_rules.py; here is what was told already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hive import addresses, clock
from hive.database import transactional
from hive.kinds import EventKind
from hive.models import Alarm, Event, Repository, Session
from hive.services import alarm_rules, events
from hive.services.alarm_rules import QUOTA_STEPS, Finding
from hive.units import format_size


@dataclass(frozen=True)
class AlarmInfo:
    kind: EventKind
    level: int
    message: str
    since: datetime


async def lasting(repository_id: int) -> list[AlarmInfo]:
    """The alarms of a repository that are not over; for who may see it."""
    rows = await Alarm.filter(repository_id=repository_id).order_by("id")
    return [AlarmInfo(row.kind, row.level, row.message, row.since) for row in rows]


@transactional
async def begin(
    repository_id: int,
    kind: EventKind,
    message: str,
    *,
    level: int = 1,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> bool:
    """Tell of a condition unless it was told at this level already; whether it was told now."""
    row = await Alarm.filter(repository_id=repository_id, kind=kind).first()
    if not await _keep(row, kind, level, message, details, repository_id=repository_id):
        return False
    await events.record(repository_id, kind, message, session_id=session_id, level=level, **details)
    return True


@transactional
async def end(repository_id: int, kind: EventKind, message: str) -> bool:
    """Tell that a condition is over, where it was told before."""
    row = await Alarm.filter(repository_id=repository_id, kind=kind).first()
    if row is None:
        return False
    await row.delete()
    await events.record(
        repository_id, EventKind.ALARM_ENDED, message, alarm=kind, since=clock.rfc3339(row.since)
    )
    return True


async def _keep(
    row: Alarm | None,
    kind: EventKind,
    level: int,
    message: str,
    details: dict[str, Any],
    *,
    repository_id: int,
) -> bool:
    """Keep the alarm's row current; True where it is new or worse than it was."""
    is_worse = row is None or level > row.level
    if row is None:
        row = Alarm(repository_id=repository_id, kind=kind, since=clock.now())
    row.level, row.message, row.details = level, message[:1000], details
    await row.save()
    return is_worse


async def tell(
    repository_id: int, findings: list[Finding], *, session_id: int | None = None
) -> None:
    """Tell of what happened once and does not last."""
    for finding in findings:
        await events.record(
            repository_id,
            finding.kind,
            finding.message,
            session_id=session_id,
            **finding.details,
        )


async def check_quota(
    repository: Repository,
    used_bytes: int | None,
    *,
    is_exceeded: bool = False,
    quota: int | None = None,
    whose: str | None = None,
) -> None:
    """Tell when a step of the quota is passed; call in a transaction.

    `is_exceeded`: new data has just been refused, whatever is used now. `quota` is the repository's
    own where nothing else is said; `whose` names the user or group that it belongs to.
    """
    quota = quota or repository.quota_bytes
    row = await Alarm.filter(repository_id=repository.id, kind=EventKind.QUOTA_FILLING).first()
    if quota is None or used_bytes is None:
        percent = 0.0
    else:
        percent = 100.0 if is_exceeded else 100 * used_bytes / quota
    level = alarm_rules.level(percent, QUOTA_STEPS, row.level if row is not None else 0)
    if level == 0:
        await end(repository.id, EventKind.QUOTA_FILLING, "The quota has room again.")
        return
    shown = f"{format_size(used_bytes or 0)} of {format_size(quota or 0)}"
    message = (
        f"The quota is used to {percent:.0f} %: {shown}."
        if whose is None
        else f"The quota of {whose} is used to {percent:.0f} %: {shown}."
    )
    await begin(
        repository.id,
        EventKind.QUOTA_FILLING,
        message,
        level=level,
        used_bytes=used_bytes,
        quota_bytes=quota,
        percent=round(percent, 1),
    )


@transactional
async def integrity_error(
    repository_id: int,
    message: str,
    *,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """A check, or borg itself, found the repository damaged."""
    await begin(repository_id, EventKind.INTEGRITY_ERROR, message, session_id=session_id, **details)


@transactional
async def integrity_proven(repository_id: int) -> None:
    """A whole check found nothing wrong."""
    await end(repository_id, EventKind.INTEGRITY_ERROR, "A check found nothing wrong any more.")


@transactional
async def key_used(session_id: int) -> None:
    """Tell of a key's first use ever, or of a network that it never came from; once a session."""
    session = await Session.get_or_none(id=session_id)
    if session is None or session.key_id is None:
        return
    kinds = [EventKind.KEY_FIRST_USED, EventKind.NEW_NETWORK]
    if await Event.filter(session_id=session_id, kind__in=kinds).exists():
        return
    earlier = Session.filter(key_id=session.key_id, id__lt=session_id)
    peers = await earlier.distinct().values_list("peer", flat=True)
    network = addresses.neighbourhood(session.peer)
    seen = {addresses.neighbourhood(str(peer)) for peer in peers}
    if network is None or network in seen:
        return
    if peers:
        kind = EventKind.NEW_NETWORK
        message = f"Key {session.key_name} came from {session.peer}, a network new to it."
    else:
        kind = EventKind.KEY_FIRST_USED
        message = f"Key {session.key_name} was used for the first time, from {session.peer}."
    await events.record(
        session.repository_id,
        kind,
        message,
        session_id=session_id,
        fingerprint=session.key_fingerprint,
        peer=session.peer,
        network=network,
        networks_before=sorted(str(one) for one in seen if one)[:20],
    )
