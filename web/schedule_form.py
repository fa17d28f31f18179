"""The fields that ask when backups are expected, on every form that has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from hive import formats, units
from hive.errors import InvalidInput
from hive.kinds import ScheduleKind
from hive.schedule_words import daily_of
from hive.services.accounts.users import UserInfo
from hive.services.health.infos import ScheduleInfo
from hive.services.health.schedules import ScheduleChange
from web.forms import Form

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


class Choice(StrEnum):
    """How often, as people choose it."""

    DAY = "day"
    WEEK = "week"
    INTERVAL = "interval"
    CRON = "cron"
    NONE = "none"


def preselected(user: UserInfo) -> dict[str, str]:
    """What a new schedule begins with; the browser puts its own time zone in that place."""
    return {"kind": Choice.DAY, "timezone": user.timezone or "UTC", "zone_is_open": "yes"}


def preselected_for_machine(user: UserInfo) -> dict[str, str]:
    """The same, with a time by which most backups of a night are in."""
    return preselected(user) | {"day_at": "03:00"}


def as_it_is(schedule: ScheduleInfo, user: UserInfo) -> dict[str, str]:
    """The fields of a schedule that is there."""
    values = preselected(user) | {"kind": str(Choice.NONE)}
    if schedule.kind == ScheduleKind.INTERVAL and schedule.every is not None:
        simple = {_DAY: Choice.DAY, _WEEK: Choice.WEEK}
        values["kind"] = simple.get(schedule.every, Choice.INTERVAL)
        if schedule.every not in simple:
            values["every"] = formats.format_duration(schedule.every)
    elif schedule.kind == ScheduleKind.CRON and schedule.cron is not None:
        values |= {"timezone": schedule.timezone or "UTC", "zone_is_open": ""}
        values |= _by_cron(schedule.cron)
    return values


def _by_cron(cron: str) -> Mapping[str, str]:
    found = daily_of(cron)
    if found is None or found.working_days:
        return {"kind": Choice.CRON, "cron": cron}
    if found.weekday is None:
        return {"kind": Choice.DAY, "day_at": found.time}
    return {"kind": Choice.WEEK, "weekday": str(found.weekday), "week_at": found.time}


def change_of(form: Form) -> ScheduleChange:
    """What was chosen; what is wrong is a problem of the form. The grace is not asked for here."""
    kind = form.read("kind", Choice)
    zone = form.text("timezone") or None
    match kind:
        case Choice.DAY:
            at = form.read("day_at", _time)
            cron = None if at is None else f"{at[1]} {at[0]} * * *"
            return _change(cron, zone, _DAY)
        case Choice.WEEK:
            return _weekly(form, zone)
        case Choice.INTERVAL:
            return ScheduleChange(every=_needed(form, "every"))
        case Choice.CRON:
            if not form.text("cron"):
                form.complain(InvalidInput("Say how often.", field="cron"))
            return ScheduleChange(cron=form.text("cron"), timezone=zone)
        case Choice.NONE:
            return ScheduleChange(no_schedule=True)
        case _ if form.is_fine:
            form.complain(InvalidInput("Choose when backups are expected.", field="kind"))
    return ScheduleChange()


def _change(cron: str | None, zone: str | None, otherwise: timedelta) -> ScheduleChange:
    if cron is None:
        return ScheduleChange(every=otherwise)
    return ScheduleChange(cron=cron, timezone=zone)


def _weekly(form: Form, zone: str | None) -> ScheduleChange:
    day, at = form.read("weekday", _weekday), form.read("week_at", _time)
    if day is None and at is not None:
        form.complain(InvalidInput("Say on which day of the week.", field="weekday"))
    hour, minute = at or (23, 59)
    cron = None if day is None else f"{minute} {hour} * * {day}"
    return _change(cron, zone, _WEEK)


def _needed(form: Form, name: str) -> timedelta | None:
    if not form.text(name):
        form.complain(InvalidInput("Say how often.", field=name))
    return form.read(name, units.parse_duration)


def _time(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(":")
    is_time = hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 and len(minute) == 2
    if not (is_time and text.isascii() and int(hour) < 24 and int(minute) < 60):
        raise InvalidInput("This is not a valid time: write for example 03:00.")
    return int(hour), int(minute)


def _weekday(text: str) -> int:
    if text not in tuple("0123456"):
        raise ValueError(text)
    return int(text)
