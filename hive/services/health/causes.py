"""Why a backup may be missing, as far as the server itself knows: sentences for the alarm."""

from __future__ import annotations

from datetime import datetime, timedelta

from hive import clock
from hive.kinds import EventKind
from hive.models import Alarm, Downtime, Event, Grant, Repository
from hive.sentences import say

_BEFORE = timedelta(days=1)  # of the time when it was due
_FULL = 100


async def of_missing(row: Repository, due_at: datetime | None, now: datetime) -> list[str]:
    """What of it is known, the likeliest first."""
    since = (due_at or now) - _BEFORE
    if row.last_backup_at is not None:
        since = max(since, row.last_backup_at)
    found = await _keys(row, now)
    if not found:
        found += await _refusals(row, since)
    found += await _alarms(row)
    found += await _downtimes(since, now)
    return found


async def _keys(row: Repository, now: datetime) -> list[str]:
    grants = await Grant.filter(repository_id=row.id).select_related("key__owner")
    if not grants:
        return [say("No key opens this repository.")]
    problems: list[str] = []
    for grant in sorted(grants, key=lambda one: one.key.name):
        key = grant.key
        if not key.enabled:
            problems.append(say("Key %(key)s is disabled.", key=key.name))
        elif not key.owner.keys_enabled:
            names = {"key": key.name, "owner": key.owner.name}
            problems.append(
                say("Key %(key)s is refused: its owner %(owner)s is disabled.", **names)
                if key.owner.is_disabled
                else say(
                    "Key %(key)s is refused: the keys of its owner %(owner)s are disabled.", **names
                )
            )
        elif key.expires_at is not None and key.expires_at <= now:
            problems.append(
                say(
                    "Key %(key)s expired on %(expires_at)s.",
                    key=key.name,
                    expires_at=key.expires_at,
                )
            )
    return problems if len(problems) == len(grants) else []


async def _refusals(row: Repository, since: datetime) -> list[str]:
    refused = Event.filter(repository_id=row.id, kind=EventKind.REFUSED, at__gte=since)
    last = await refused.order_by("-id").first()
    if last is None:
        return []
    return [
        say("The last login was refused at %(at)s: %(reason)s", at=last.at, reason=last.message)
    ]


async def _alarms(row: Repository) -> list[str]:
    found = []
    for alarm in await Alarm.filter(repository_id=row.id):
        is_full = alarm.kind == EventKind.QUOTA_FILLING and alarm.level >= _FULL
        if is_full or alarm.kind == EventKind.STALE_LOCK:
            found.append(alarm.message)
    return found


async def _downtimes(since: datetime, now: datetime) -> list[str]:
    rows = (
        await Downtime.filter(ended_at__gt=since, begun_at__lt=now).order_by("-ended_at").limit(1)
    )
    return [
        say(
            "%(what)s from %(begun_at)s to %(ended_at)s.",
            what=say("Maintenance went on") if one.announced_by else say("The server was off"),
            begun_at=one.begun_at,
            ended_at=min(one.ended_at, clock.now()),
        )
        for one in rows
    ]
