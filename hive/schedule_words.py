"""A schedule in words, with its time zone and when the next backup is due. Pure.

The one place for it: pages, commands and mails show these sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from hive.kinds import ScheduleKind
from hive.sentences import Cron, Sentence, Value, say

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WORKING_DAYS = ("1-5", "mon-fri")


class Rhythm(Protocol):
    """What is said of a schedule (hive/schedule.py)."""

    @property
    def kind(self) -> ScheduleKind: ...
    @property
    def interval(self) -> timedelta | None: ...
    @property
    def cron(self) -> str | None: ...
    @property
    def timezone(self) -> str | None: ...


@dataclass(frozen=True)
class Daily:
    """A cron expression that comes true once on each of its days; `weekday` 0 is Sunday."""

    time: str  # 03:00
    weekday: int | None = None  # None: every day
    working_days: bool = False


def daily_of(cron: str) -> Daily | None:
    """What a simple cron expression says; None where it says more."""
    fields = cron.lower().split()
    if len(fields) != 5 or fields[2:4] != ["*", "*"]:
        return None
    minute, hour, _, _, day = fields
    if not (minute.isdecimal() and hour.isdecimal()):
        return None
    time = f"{int(hour):02}:{int(minute):02}"
    if day == "*":
        return Daily(time)
    if day in _WORKING_DAYS:
        return Daily(time, working_days=True)
    if day in _DAYS:
        return Daily(time, _DAYS.index(day))
    return Daily(time, int(day) % 7) if day.isdecimal() else None


def in_words(schedule: Rhythm) -> Sentence:
    """'Every day at 03:00, Europe/Berlin', 'Every 12 hours', 'Not watched'."""
    if schedule.kind == ScheduleKind.INTERVAL and schedule.interval is not None:
        return _every(schedule.interval)
    if schedule.kind == ScheduleKind.CRON and schedule.cron is not None:
        return say("%(rhythm)s, %(zone)s", rhythm=_by_cron(schedule.cron), zone=schedule.timezone)
    return say("Not watched")


def describe(
    schedule: Rhythm, due_at: datetime | None, now: datetime, *, zone: tzinfo = UTC
) -> Sentence:
    """'Every day at 03:00, Europe/Berlin, next tomorrow': with the next date, where one is due.

    `zone` is the reader's: times of an interval are shown in it.
    """
    words = in_words(schedule)
    if due_at is None:
        return words
    is_cron = schedule.kind == ScheduleKind.CRON
    shown_in = ZoneInfo(schedule.timezone or "UTC") if is_cron else zone
    is_said = is_cron and daily_of(schedule.cron or "") is not None
    following = _next(due_at, now, shown_in, with_time=not is_said)
    if is_cron:
        return say("%(schedule)s, %(next)s", schedule=words, next=following)
    return say(
        "%(schedule)s, %(next)s (%(zone)s)", schedule=words, next=following, zone=_name(shown_in)
    )


def _name(zone: tzinfo) -> str:
    return getattr(zone, "key", None) or "UTC"


def _next(due_at: datetime, now: datetime, zone: tzinfo, *, with_time: bool) -> Sentence:
    due, today = due_at.astimezone(zone), now.astimezone(zone).date()
    date, time = due.date(), due.strftime("%H:%M")
    if due_at <= now:
        return say("was due on %(date)s at %(time)s", date=date, time=time)
    if due.date() == today:
        return say("next today at %(time)s", time=time) if with_time else say("next today")
    if due.date() == today + timedelta(days=1):
        return say("next tomorrow at %(time)s", time=time) if with_time else say("next tomorrow")
    return (
        say("next on %(date)s at %(time)s", date=date, time=time)
        if with_time
        else say("next on %(date)s", date=date)
    )


def _every(span: timedelta) -> Sentence:
    seconds = int(span.total_seconds())
    for size, one, many in _UNITS:
        if seconds % size == 0:
            count = seconds // size
            return one if count == 1 else many(count)
    raise ValueError(f"{span} is not whole seconds")


def _weeks(count: int) -> Sentence:
    return say("Every %(count)s weeks", count=count)


def _days(count: int) -> Sentence:
    return say("Every %(count)s days", count=count)


def _hours(count: int) -> Sentence:
    return say("Every %(count)s hours", count=count)


def _minutes(count: int) -> Sentence:
    return say("Every %(count)s minutes", count=count)


def _seconds(count: int) -> Sentence:
    return say("Every %(count)s seconds", count=count)


_UNITS = (
    (604_800, say("Every week"), _weeks),
    (86_400, say("Every day"), _days),
    (3_600, say("Every hour"), _hours),
    (60, say("Every minute"), _minutes),
    (1, say("Every second"), _seconds),
)


def _by_cron(cron: str) -> Value:
    found = daily_of(cron)
    return Cron(cron) if found is None else _on_days(found)


def _on_days(found: Daily) -> Sentence:
    time = found.time
    if found.working_days:
        return say("Every working day at %(time)s", time=time)
    if found.weekday is None:
        return say("Every day at %(time)s", time=time)
    return _on_weekday(found.weekday, time)


def _on_weekday(day: int, time: str) -> Sentence:
    return (
        say("Every Sunday at %(time)s", time=time),
        say("Every Monday at %(time)s", time=time),
        say("Every Tuesday at %(time)s", time=time),
        say("Every Wednesday at %(time)s", time=time),
        say("Every Thursday at %(time)s", time=time),
        say("Every Friday at %(time)s", time=time),
        say("Every Saturday at %(time)s", time=time),
    )[day]
