"""When backups are due, late and missing: pure, through the changes of the clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.errors import InvalidInput
from hive.kinds import Health, ScheduleKind
from hive.schedule import (
    LOOK_AGAIN,
    Record,
    Schedule,
    fell_into,
    next_reminder,
    outlook,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Each year's changes of the clocks: (zone, the moment of the change in UTC).
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]


def every(interval: timedelta, grace: timedelta = 6 * HOUR) -> Schedule:
    return Schedule(kind=ScheduleKind.INTERVAL, interval=interval, grace=grace)


def by_cron(cron: str, zone: str = "UTC", grace: timedelta = 6 * HOUR) -> Schedule:
    return Schedule(kind=ScheduleKind.CRON, cron=cron, timezone=zone, grace=grace)


def daily_ticks(zone: ZoneInfo, hour: int, minute: int, around: datetime) -> list[datetime]:
    """The same by other means: once each calendar day, in a gap at its end, doubled at first."""
    found = []
    for day in range(-4, 5):
        date = (around + day * DAY).astimezone(zone).date()
        wanted = datetime(date.year, date.month, date.day, hour, minute, tzinfo=zone)
        at = wanted.astimezone(UTC)
        while at.astimezone(zone).replace(tzinfo=None) < wanted.replace(tzinfo=None):
            at += timedelta(minutes=1)
        if at.astimezone(zone).replace(tzinfo=None) != wanted.replace(tzinfo=None):
            at = at.replace(second=0)
            while (at - timedelta(minutes=1)).astimezone(zone).replace(
                tzinfo=None
            ) > wanted.replace(tzinfo=None):
                at -= timedelta(minutes=1)
        found.append(at)
    return found


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_the_clocks_were_changed_when_the_tests_say(zone: str, change: datetime) -> None:
    before = (change - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).utcoffset()
    assert before != change.astimezone(ZoneInfo(zone)).utcoffset()


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(("hour", "minute"), [(1, 45), (2, 15), (2, 30), (3, 0), (0, 0), (23, 59)])
def test_a_daily_backup_is_due_once_a_day_hour_by_hour_through_a_change(
    zone: str, change: datetime, hour: int, minute: int
) -> None:
    schedule = by_cron(f"{minute} {hour} * * *", zone)
    expected = daily_ticks(ZoneInfo(zone), hour, minute, change)
    assert all(one < other for one, other in pairwise(expected))
    at = change - 2 * DAY
    while at < change + 2 * DAY:
        due = schedule.due_after(at)
        assert due == next(tick for tick in expected if tick > at), at
        for moment in (due - timedelta(seconds=1), due, due + 6 * HOUR, due + 6 * HOUR - DAY):
            view = outlook(schedule, Record(created_at=at), moment)
            assert view.down_at == due + 6 * HOUR  # of real time
        at += timedelta(minutes=30)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_an_hourly_backup_is_due_whenever_the_clock_on_the_wall_shows_a_full_hour(
    zone: str, change: datetime
) -> None:
    schedule = by_cron("0 * * * *", zone)
    at = change - DAY
    while at < change + DAY:
        expected = at.replace(second=0) + timedelta(minutes=1)
        while expected.astimezone(ZoneInfo(zone)).minute != 0:
            expected += timedelta(minutes=1)
        assert schedule.due_after(at) == expected
        at += timedelta(minutes=30)


def test_a_day_of_an_interval_is_24_hours_through_a_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 3, 28, 12, tzinfo=zone)
    due = every(DAY).due_after(at)
    assert due == at.astimezone(UTC) + 24 * HOUR
    assert due.astimezone(zone).hour == 13


@given(
    st.integers(0, 6 * 365 * 86_400),
    st.sampled_from(["0 3 * * *", "30 2 * * sun", "*/20 1 * * *", "15 1,2 * * *", "0 0 L * *"]),
    st.sampled_from([zone for zone, _ in CHANGES]),
)
def test_a_backup_is_always_due_after_the_last_one(seconds: int, cron: str, zone: str) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    due = by_cron(cron, zone).due_after(at)
    assert due is not None
    assert at < due < at + timedelta(days=32)
    # and nothing is due between: from just before it is the same
    assert by_cron(cron, zone).due_after(due - timedelta(seconds=1)) == due


@given(
    st.timedeltas(timedelta(minutes=1), timedelta(days=366)),
    st.timedeltas(timedelta(0), timedelta(days=366)),
    st.timedeltas(timedelta(0), timedelta(days=800)),
    st.booleans(),
)
def test_nothing_changes_before_it_is_looked_at_again(
    interval: timedelta, grace: timedelta, passed: timedelta, has_backup: bool
) -> None:
    record = Record(created_at=NOW, last_backup_at=NOW if has_backup else None)
    now = NOW + passed
    view = outlook(every(interval, grace), record, now)
    if view.look_at is None:
        assert view.health == Health.DOWN
        return
    assert view.look_at > now
    just_before = view.look_at - timedelta(microseconds=1)
    assert outlook(every(interval, grace), record, just_before).health == view.health
    assert outlook(every(interval, grace), record, view.look_at).health != view.health


def test_up_late_and_down_follow_each_other() -> None:
    record = Record(created_at=NOW - 9 * DAY, last_backup_at=NOW)
    times = {0: Health.FINE, 23: Health.FINE, 24: Health.LATE, 29: Health.LATE, 30: Health.DOWN}
    for hours, health in times.items():
        assert outlook(every(DAY), record, NOW + hours * HOUR).health == health


def test_a_repository_that_was_never_written_is_late_from_its_creation() -> None:
    record = Record(created_at=NOW)
    times = {23: Health.NEW, 24: Health.LATE, 30: Health.DOWN}
    for hours, health in times.items():
        assert outlook(every(DAY), record, NOW + hours * HOUR).health == health


def test_without_a_schedule_nothing_is_ever_late() -> None:
    schedule = Schedule(kind=ScheduleKind.NONE, grace=HOUR)
    far = NOW + 10_000 * DAY
    assert outlook(schedule, Record(created_at=NOW), far).health == Health.UNWATCHED
    assert (
        outlook(schedule, Record(created_at=NOW, last_backup_at=NOW), far).health
        == Health.UNWATCHED
    )
    assert outlook(schedule, Record(created_at=NOW, last_backup_at=NOW), far).look_at is None


def test_a_session_that_runs_keeps_down_waiting_but_not_late() -> None:
    schedule, end = every(DAY), NOW + 40 * HOUR
    record = Record(created_at=NOW, last_backup_at=NOW, running_until=end)
    assert outlook(schedule, record, NOW + 24 * HOUR).health == Health.LATE
    waiting = outlook(schedule, record, NOW + 30 * HOUR)
    assert (waiting.health, waiting.look_at) == (Health.LATE, NOW + 30 * HOUR + LOOK_AGAIN)
    last = outlook(schedule, record, end - timedelta(minutes=1))
    assert (last.health, last.look_at) == (Health.LATE, end)
    assert outlook(schedule, record, end).health == Health.DOWN


def test_a_pause_ends_by_itself_and_down_waits_for_the_next_backup_after_it() -> None:
    schedule, until = every(DAY), NOW + 10 * DAY
    record = Record(created_at=NOW, last_backup_at=NOW, paused_until=until)
    paused = outlook(schedule, record, until - HOUR)
    assert (paused.health, paused.due_at, paused.look_at) == (Health.PAUSED, None, until)
    after = outlook(schedule, record, until)
    assert (after.health, after.due_at) == (Health.LATE, NOW + DAY)  # a pause makes no backup
    assert after.down_at == until + DAY + 6 * HOUR
    assert outlook(schedule, record, until + DAY + 6 * HOUR).health == Health.DOWN


@pytest.mark.parametrize(
    ("made", "due"),
    [
        ("2026-11-23T03:00", "2026-11-24T03:00"),
        ("2026-11-23T20:00", "2026-11-24T03:00"),  # too early to be the one of 03:00
        ("2026-11-23T20:59", "2026-11-24T03:00"),
        ("2026-11-23T21:00", "2026-11-25T03:00"),  # the last quarter of the day
        ("2026-11-24T02:59", "2026-11-25T03:00"),  # a clock that is a minute fast
        ("2026-11-24T03:01", "2026-11-25T03:00"),
    ],
)
def test_a_backup_shortly_before_its_time_counts_for_it(made: str, due: str) -> None:
    at, expected = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (made, due))
    schedule = by_cron("0 3 * * *")
    assert (
        outlook(schedule, Record(created_at=NOW - 9 * DAY, last_backup_at=at), at).due_at
        == expected
    )
    # nothing was made yet: the first one is due at the next time
    assert outlook(schedule, Record(created_at=at), at).due_at == schedule.due_after(at)
    assert every(DAY).due_after_backup(at) == at + DAY


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", ["0 3 * * *", "30 2 * * sun", "*/20 1 * * *", "0 0 L * *"])
def test_whenever_a_backup_is_made_the_next_one_is_due_after_it(zone: str, cron: str) -> None:
    schedule, at = by_cron(cron, zone), datetime(2026, 3, 20, tzinfo=UTC)
    while at < datetime(2026, 4, 10, tzinfo=UTC):
        first, due = schedule.due_after(at), schedule.due_after_backup(at)
        assert first is not None
        assert due in (first, schedule.due_after(first))
        at += timedelta(minutes=47)


def test_what_was_due_while_the_server_was_off_is_expected_at_the_next_time() -> None:
    schedule = by_cron("0 3 * * *")
    last = datetime(2026, 11, 23, 3, tzinfo=UTC)
    off = (last + 2 * HOUR, last + 28 * HOUR)  # over the whole next time
    record = Record(created_at=last - 9 * DAY, last_backup_at=last, downtimes=(off,))
    view = outlook(schedule, record, off[1])
    assert (view.health, view.due_at) == (Health.LATE, last + DAY)
    assert view.down_at == last + 2 * DAY + 6 * HOUR
    # a second downtime, however short, does not take that back
    again = (off[1] + HOUR, off[1] + HOUR + timedelta(minutes=3))
    both = outlook(schedule, replace(record, downtimes=(off, again)), again[1])
    assert both.down_at == view.down_at
    # off when it was about to count as missing: its grace comes once more
    short = (last + DAY + 5 * HOUR, last + DAY + 7 * HOUR)
    late = outlook(schedule, replace(record, downtimes=(short,)), short[1])
    assert (late.health, late.down_at) == (Health.LATE, short[1] + 6 * HOUR)
    # long over, or before it was due: it changes nothing
    for other in ((last + HOUR, last + 2 * HOUR), (last + 3 * DAY, last + 4 * DAY)):
        assert outlook(schedule, replace(record, downtimes=(other,)), last).down_at == (
            last + DAY + 6 * HOUR
        )
    assert fell_into(schedule, Record(created_at=last - 9 * DAY, last_backup_at=last), *off)
    assert not fell_into(
        schedule,
        Record(created_at=last - 9 * DAY, last_backup_at=last),
        last + HOUR,
        last + 2 * HOUR,
    )


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 3 * *", "4 fields, not five"),
        ("", "0 fields"),
        ("@daily", "1 fields"),
        ("0 0 3 * * *", "6 fields"),
        ("60 3 * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 3 * * funday", "bad day-of-week"),
        ("0 3 30 2 *", "bad day-of-month"),
        ("0 3 * * " + "1," * 60 + "2", "at most 100"),
    ],
)
def test_a_wrong_cron_expression_is_told_with_what_is_right(cron: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        by_cron(cron)
    assert caught.value.field == "cron"
    assert "'0 3 * * *'" in caught.value.message or "100" in words


@given(st.text(st.sampled_from("0123456789*/,-#LWl moéfr²٣"), max_size=30))
def test_no_cron_expression_is_worse_than_invalid(cron: str) -> None:
    try:
        schedule = by_cron(cron, "Europe/Berlin")
    except InvalidInput:
        return
    assert schedule.due_after(NOW) is None or schedule.due_after(NOW) > NOW  # type: ignore[operator]
    assert schedule.in_words.endswith("(Europe/Berlin)")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("../../etc/passwd", "There is no time zone"),
        ("", "write for example Europe/Berlin"),
        ("\x00", "There is no time zone"),
        ("Europe", "There is no time zone"),
    ],
)
def test_an_unknown_time_zone_is_told_with_what_is_near(zone: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint):
        by_cron("0 3 * * *", zone)


def test_intervals_and_graces_have_bounds() -> None:
    for interval in (timedelta(0), timedelta(seconds=59), timedelta(days=367)):
        with pytest.raises(InvalidInput, match="every 366 days"):
            every(interval)
    for grace in (timedelta(seconds=-1), timedelta(days=367)):
        with pytest.raises(InvalidInput, match="grace"):
            every(DAY, grace)
    assert every(timedelta(minutes=1), timedelta(0)).due_after(NOW) is not None


def test_schedules_are_said_in_words() -> None:
    assert every(DAY).in_words == "every day"
    assert every(36 * HOUR).in_words == "every 36 hours"
    assert every(14 * DAY).in_words == "every 2 weeks"
    assert every(timedelta(seconds=90)).in_words == "every 90 seconds"
    assert by_cron("0 3 * * 1-5", "Europe/Berlin").in_words == (
        "every working day at 03:00, Europe/Berlin"
    )
    assert Schedule(kind=ScheduleKind.NONE).in_words == "not watched"


def test_reminders_keep_their_rhythm_and_end() -> None:
    times = [next_reminder(NOW, 12 * HOUR, 5 * DAY, NOW + hours * HOUR) for hours in range(121)]
    assert times[0] == times[11] == NOW + 12 * HOUR
    assert times[12] == times[23] == NOW + 24 * HOUR  # after a late one as well
    assert times[119] == NOW + 5 * DAY
    assert times[120] is None
    assert next_reminder(NOW, timedelta(0), 5 * DAY, NOW) is None
    assert next_reminder(NOW, 12 * HOUR, timedelta(0), NOW) is None
