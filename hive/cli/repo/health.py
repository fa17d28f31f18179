"""How the health and the schedule of a repository look as JSON and on the terminal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hive.cli import output
from hive.formats import format_duration, moment
from hive.kinds import State
from hive.services.alarms.alarms import AlarmInfo
from hive.services.health import proposals
from hive.services.health.infos import HealthInfo


def alarm_document(info: AlarmInfo) -> dict[str, Any]:
    """One alarm in JSON; `hive repo show` contains the same."""
    return {
        "kind": info.kind,
        "since": output.time(info.since),
        "message": info.message,
        "id": info.id,
        "level": info.level,
        "count": info.count,
        "critical": info.is_critical,
        "session": info.session_id,
    }


def health_document(info: HealthInfo) -> dict[str, Any]:
    """What is added at the end of a repository's document."""
    schedule = info.schedule
    return {
        "health": info.state,
        "health_reason": info.reason or None,
        "health_since": output.time(info.since),
        "is_backing_up": info.is_backing_up,
        "running": info.is_backing_up,
        "alarms": [alarm_document(one) for one in info.alarms],
        "schedule": {
            "kind": schedule.kind,
            "every_seconds": _seconds(schedule.every),
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "grace_seconds": _seconds(schedule.grace),
            "words": schedule.in_words,
            "description": schedule.description,
            "problem": schedule.problem,
        },
        "due_at": output.time(info.due_at),
        "down_at": output.time(info.down_at),
        "paused_until": output.time(info.paused_until),
        "muted_until": output.time(info.muted_until),
        "acknowledged_by": info.acknowledged_by,
        "acknowledged_at": output.time(info.acknowledged_at),
        "tags": list(info.tags),
    }


def health_fields(info: HealthInfo) -> dict[str, Any]:
    """The same for people; what is not there is left out."""
    schedule = info.schedule
    words = schedule.description
    if schedule.cron is not None:
        words = f"{words}; {schedule.cron}"
    found: dict[str, Any] = {
        "health": _health(info),
        "schedule": words if schedule.problem is None else f"{words}: {schedule.problem}",
        "next expected": info.due_at,
        "down from": info.down_at,
        "grace": None if schedule.grace is None else format_duration(schedule.grace),
        "tags": ", ".join(info.tags),
    }
    if info.alarms:
        found["alarms"] = [_alarm(one) for one in info.alarms]
    if info.is_backing_up:
        found["running"] = "a session that may be a backup"
    if info.paused_until is not None:
        found["paused until"] = info.paused_until
    if info.muted_until is not None:
        found["muted until"] = info.muted_until
    if info.acknowledged_by is not None and info.acknowledged_at is not None:
        found["acknowledged"] = f"by {info.acknowledged_by}, {moment(info.acknowledged_at)}"
    return found


def _health(info: HealthInfo) -> str:
    since = moment(info.since)
    if info.state in (State.CRITICAL, State.UNKNOWN):
        return f"{info.state}: {info.reason}; by its schedule {info.health} since {since}"
    return f"{info.state} since {since}"


def _alarm(one: AlarmInfo) -> str:
    times = f" ({one.count} times)" if one.count > 1 else ""
    answer = f" -> hive alarm answer {one.id}" if one.is_critical else ""
    return f"{one.kind}{times}: {one.message}{answer}"


def proposal_document(every: timedelta | None) -> dict[str, Any]:
    """How often backups seem to come where nobody has said when to expect them."""
    return {"suggested_every_seconds": _seconds(every)}


def proposal_fields(name: str, every: timedelta | None) -> dict[str, Any]:
    """What could be expected of a repository that nobody watches; nothing without a habit."""
    if every is None:
        return {}
    often = proposals.in_words(every)
    command = f"hive repo set {name} --every {format_duration(every)}"
    return {"proposal": f"It backs up about every {often}. Watch it: {command}"}


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
