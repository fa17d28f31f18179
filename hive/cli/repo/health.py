"""How the health and the schedule of a repository look as JSON and on the terminal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hive.cli import output
from hive.cli.words import condition_word
from hive.formats import format_duration, moment, span
from hive.kinds import Health, State
from hive.services.alarms.alarms import AlarmInfo
from hive.services.health import proposals
from hive.services.health.infos import HealthInfo, upcoming
from hive.services.health.states import Condition


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


def schedule_fields(info: HealthInfo) -> dict[str, Any]:
    """The schedule, and what follows from it, for people."""
    schedule = info.schedule
    words = schedule.description
    if schedule.cron is not None:
        words = f"{words}; {schedule.cron}"
    found: dict[str, Any] = {
        "schedule": words if schedule.problem is None else f"{words}: {schedule.problem}",
        "down from": info.down_at,
        "grace": None if schedule.grace is None else format_duration(schedule.grace),
    }
    if info.paused_until is not None:
        found["paused until"] = info.paused_until
    if info.muted_until is not None:
        found["muted until"] = info.muted_until
    if info.acknowledged_by is not None and info.acknowledged_at is not None:
        found["acknowledged"] = f"by {info.acknowledged_by}, {moment(info.acknowledged_at)}"
    return found


def health_sentence(info: HealthInfo) -> str:
    """'late since 2026-11-30 03:00 UTC', and that a backup runs."""
    since = moment(info.since)
    running = "; a session that may be a backup is running" if info.is_backing_up else ""
    if info.state in (State.CRITICAL, State.UNKNOWN):
        by_schedule = condition_word(Condition(info.health))
        return f"{info.state}: {info.reason}; by its schedule {by_schedule} since {since}{running}"
    return f"{condition_word(Condition(info.state))} since {since}{running}"


def expectation(info: HealthInfo) -> str:
    """What a schedule means: in words, with its zone, the next dates and the grace."""
    schedule = info.schedule
    if info.health == Health.UNWATCHED:
        return "It is not watched: use `hive repo set` with --every or --cron to expect backups."
    dates = upcoming(info)
    following = ""
    if dates:
        zone = ZoneInfo(schedule.timezone or "UTC")
        shown = ", ".join(one.astimezone(zone).strftime("%a %d %b %H:%M") for one in dates)
        following = f" Due by {shown} ({zone.key})."
    grace = (
        f" A backup that is more than {span(schedule.grace)} late counts as missing."
        if schedule.grace
        else ""
    )
    return f"Backups expected: {schedule.description}.{following}{grace}"


def alarm_line(one: AlarmInfo) -> str:
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
