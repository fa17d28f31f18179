"""hive repo pause and the like, and the options of a schedule that repo add and set share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from hive import clock
from hive.cli import alarm, output, values
from hive.cli.running import with_hive
from hive.formats import format_duration, moment
from hive.kinds import State
from hive.services.alarms.alarms import AlarmInfo
from hive.services.health import infos as health_info
from hive.services.health import proposals, schedules
from hive.services.health.infos import HealthInfo
from hive.services.health.schedules import ScheduleChange
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import small_backups

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--no-schedule", is_flag=True, help="Not watched: no backup is expected."),
    click.option("--every", type=values.DURATION, help="A backup is due so often: 1d, 12h, ..."),
    click.option("--cron", metavar="EXPRESSION", help="When backups are due: '0 3 * * *'."),
    click.option("--timezone", metavar="ZONE", help="Of --cron: Europe/Berlin; else the owner's."),
    click.option(
        "--grace",
        type=values.GRACE,
        metavar="SPAN",
        help="How long one that is due may be missing: 6h, default, ...",
    ),
    click.option("--tag", "tags", metavar="T", multiple=True, help="A word to find it by."),
)


def schedule_options(function: Function) -> Function:
    """Let a command take what `change_of` reads."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def change_of(given: dict[str, Any]) -> ScheduleChange:
    """What the options say of the schedule; they are taken out of `given`."""
    grace = given.pop("grace")
    return ScheduleChange(
        every=given.pop("every"),
        cron=given.pop("cron"),
        timezone=given.pop("timezone"),
        no_schedule=given.pop("no_schedule", False),
        grace=grace if isinstance(grace, timedelta) else None,
        default_grace=grace == values.DEFAULT,
    )


def health_document(info: HealthInfo) -> dict[str, Any]:
    """What is added at the end of a repository's document."""
    schedule = info.schedule
    return {
        "health": info.state,
        "health_reason": info.reason or None,
        "health_since": output.time(info.since),
        "is_backing_up": info.is_backing_up,
        "running": info.is_backing_up,
        "alarms": [alarm.document(one) for one in info.alarms],
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


def _until_options(function: Function) -> Function:
    for option in (
        click.option("--for", "span", type=values.DURATION, metavar="SPAN", help="3d, 12h, ..."),
        click.option("--until", type=values.WHEN, help="2027-01-31, 2027-01-31T18:00:00Z, +3d."),
    ):
        function = option(function)
    return function


def _end(until: datetime | None, span: timedelta | None) -> datetime:
    if (until is None) == (span is None):
        raise click.UsageError("Say when it ends, with --until WHEN or with --for SPAN.")
    return until if until is not None else clock.now() + (span or timedelta(0))


@click.command("pause")
@click.argument("reference", metavar="R")
@_until_options
@output.json_option
@with_hive
async def pause(
    actor: Actor, reference: str, until: datetime | None, span: timedelta | None
) -> None:
    """Expect no backup for a while; it resumes by itself."""
    end = _end(until, span)
    found = await catalogue.find_repository(actor, reference)
    await schedules.pause(actor, found.id, end)
    await _done(actor, found.id, f"{found.name} is paused until {moment(end)}.")


@click.command("resume")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def resume(actor: Actor, reference: str) -> None:
    """End a pause."""
    found = await catalogue.find_repository(actor, reference)
    await schedules.resume(actor, found.id)
    await _done(actor, found.id, f"{found.name} is paused no longer.")


@click.command("mute")
@click.argument("reference", metavar="R")
@_until_options
@output.json_option
@with_hive
async def mute(
    actor: Actor, reference: str, until: datetime | None, span: timedelta | None
) -> None:
    """Tell nobody of missing backups for a while; what is still missing is told then."""
    end = _end(until, span)
    found = await catalogue.find_repository(actor, reference)
    await schedules.mute(actor, found.id, end)
    await _done(actor, found.id, f"{found.name} is muted until {moment(end)}.")


@click.command("unmute")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def unmute(actor: Actor, reference: str) -> None:
    """End a mute."""
    found = await catalogue.find_repository(actor, reference)
    await schedules.unmute(actor, found.id)
    await _done(actor, found.id, f"{found.name} is muted no longer.")


@click.command("acknowledge")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def acknowledge(actor: Actor, reference: str) -> None:
    """Say that you know of a missing backup: no more reminders."""
    found = await catalogue.find_repository(actor, reference)
    await schedules.acknowledge(actor, found.id)
    await _done(actor, found.id, f"The missing backup of {found.name} is acknowledged.")


@click.command("dismiss")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def dismiss(actor: Actor, reference: str) -> None:
    """Say that a suspiciously small backup is as it should be."""
    found = await catalogue.find_repository(actor, reference)
    await small_backups.dismiss(actor, found.id)
    await _done(actor, found.id, f"The small backup of {found.name} is dismissed.")


async def _done(actor: Actor, repository_id: int, message: str) -> None:
    info = await health_info.health_info(actor, repository_id)
    found = await catalogue.find_repository_by_id(actor, repository_id)
    head = {"id": found.id, "name": found.name, "login": found.login}
    output.show_done(head | health_document(info), message)
