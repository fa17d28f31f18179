"""A schedule in words, with its time zone and when the next backup is due. Pure.

The one place for it: pages give `say`, which translates each part; commands and mails are English.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

from hive.kinds import ScheduleKind
from hive.phrases import phrase

if TYPE_CHECKING:
    from hive.schedule import Schedule

Say = Callable[[str], str]

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WORKING_DAYS = ("1-5", "mon-fri")


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


def in_words(schedule: Schedule, say: Say | None = None) -> str:
    """'Every day at 03:00, Europe/Berlin', 'Every 12 hours', 'Not watched'."""
    translate = say or str
    if schedule.kind == ScheduleKind.INTERVAL and schedule.interval is not None:
        return translate(_every(schedule.interval))
    if schedule.kind == ScheduleKind.CRON and schedule.cron is not None:
        return f"{_by_cron(schedule.cron, say)}, {schedule.timezone}"
    return translate(phrase("Not watched"))


def describe(
    schedule: Schedule,
    due_at: datetime | None,
    now: datetime,
    *,
    zone: tzinfo = UTC,
    say: Say | None = None,
) -> str:
    """'Every day at 03:00, Europe/Berlin, next tomorrow': with the next date, where one is due.

    `zone` is the reader's: times of an interval are told in it.
    """
    words = in_words(schedule, say)
    if due_at is None:
        return words
    is_cron = schedule.kind == ScheduleKind.CRON
    shown_in = ZoneInfo(schedule.timezone or "UTC") if is_cron else zone
    is_said = is_cron and daily_of(schedule.cron or "") is not None
    following = (say or str)(_next(due_at, now, shown_in, with_time=not is_said))
    return f"{words}, {following}" if is_cron else f"{words}, {following} ({_name(shown_in)})"


def _name(zone: tzinfo) -> str:
    return getattr(zone, "key", None) or "UTC"


def _next(due_at: datetime, now: datetime, zone: tzinfo, *, with_time: bool) -> str:
    due, today = due_at.astimezone(zone), now.astimezone(zone).date()
    date, time = due.date().isoformat(), due.strftime("%H:%M")
    if due_at <= now:
        return phrase(f"was due on {date} at {time}")
    if due.date() == today:
        return phrase(f"next today at {time}") if with_time else phrase("next today")
    if due.date() == today + timedelta(days=1):
        return phrase(f"next tomorrow at {time}") if with_time else phrase("next tomorrow")
    return phrase(f"next on {date} at {time}") if with_time else phrase(f"next on {date}")


def _every(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, one, many in _UNITS:
        if seconds % size == 0:
            count = seconds // size
            return one if count == 1 else many(count)
    return str(span)


def _weeks(count: int) -> str:
    return phrase(f"Every {count} weeks")


def _days(count: int) -> str:
    return phrase(f"Every {count} days")


def _hours(count: int) -> str:
    return phrase(f"Every {count} hours")


def _minutes(count: int) -> str:
    return phrase(f"Every {count} minutes")


def _seconds(count: int) -> str:
    return phrase(f"Every {count} seconds")


_UNITS = (
    (604_800, phrase("Every week"), _weeks),
    (86_400, phrase("Every day"), _days),
    (3_600, phrase("Every hour"), _hours),
    (60, phrase("Every minute"), _minutes),
    (1, phrase("Every second"), _seconds),
)


def _by_cron(cron: str, say: Say | None) -> str:
    found = daily_of(cron)
    if found is not None:
        return (say or str)(_on_days(found))
    if say is not None:
        return say(phrase(f"By the cron expression {cron}"))
    return CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)).explain()


def _on_days(found: Daily) -> str:
    time = found.time
    if found.working_days:
        return phrase(f"Every working day at {time}")
    if found.weekday is None:
        return phrase(f"Every day at {time}")
    return _on_weekday(found.weekday, time)


def _on_weekday(day: int, time: str) -> str:
    return (
        phrase(f"Every Sunday at {time}"),
        phrase(f"Every Monday at {time}"),
        phrase(f"Every Tuesday at {time}"),
        phrase(f"Every Wednesday at {time}"),
        phrase(f"Every Thursday at {time}"),
        phrase(f"Every Friday at {time}"),
        phrase(f"Every Saturday at {time}"),
    )[day]
