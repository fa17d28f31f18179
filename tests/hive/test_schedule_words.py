"""Schedules in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hive import schedule_words
from hive.kinds import ScheduleKind
from hive.schedule import Schedule
from hive.translation import translate

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def cron(expression: str) -> Schedule:
    return Schedule(kind=ScheduleKind.CRON, cron=expression, timezone=BERLIN)


def every(**span: float) -> Schedule:
    return Schedule(kind=ScheduleKind.INTERVAL, interval=timedelta(**span))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (cron("0 3 * * *"), "Every day at 03:00, Europe/Berlin, next tomorrow"),
        (cron("30 22 * * *"), "Every day at 22:30, Europe/Berlin, next today"),
        (cron("0 3 * * 0"), "Every Sunday at 03:00, Europe/Berlin, next on 2026-12-06"),
        (cron("0 3 * * 7"), "Every Sunday at 03:00, Europe/Berlin, next on 2026-12-06"),
        (cron("0 3 * * fri"), "Every Friday at 03:00, Europe/Berlin, next on 2026-12-04"),
        (cron("5 3 * * MON-FRI"), "Every working day at 03:05, Europe/Berlin, next tomorrow"),
        (
            cron("0 */6 * * *"),
            "At minute 0 past every sixth hour, Europe/Berlin, next today at 18:00",
        ),
        (every(days=1), "Every day, next tomorrow at 12:00 (UTC)"),
        (every(hours=12), "Every 12 hours, next tomorrow at 00:00 (UTC)"),
        (every(days=7), "Every week, next on 2026-12-07 at 12:00 (UTC)"),
        (every(hours=36), "Every 36 hours, next on 2026-12-02 at 00:00 (UTC)"),
        (Schedule(kind=ScheduleKind.NONE), "Not watched"),
    ],
)
def test_a_schedule_is_told_with_its_zone_and_the_next_date(schedule: Schedule, words: str) -> None:
    assert schedule_words.describe(schedule, schedule.due_after(NOW), NOW) == words


def test_times_of_an_interval_are_told_in_the_readers_zone() -> None:
    schedule = every(days=1)
    told = schedule_words.describe(schedule, NOW + timedelta(days=1), NOW, zone=ZoneInfo(BERLIN))
    assert told == "Every day, next tomorrow at 13:00 (Europe/Berlin)"


def test_what_is_overdue_says_since_when() -> None:
    told = schedule_words.describe(cron("0 3 * * *"), NOW - timedelta(hours=10), NOW)
    assert told == "Every day at 03:00, Europe/Berlin, was due on 2026-11-30 at 03:00"


def test_each_part_is_translated() -> None:
    described = schedule_words.describe(cron("0 3 * * *"), NOW + timedelta(hours=14), NOW)
    assert translate(described, "de") == "Täglich um 03:00, Europe/Berlin, nächste morgen"
