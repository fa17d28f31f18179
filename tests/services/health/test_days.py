"""What a day counts as: kept as it happens, read in any time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hive import clock
from hive.kinds import ArchiveCreated, EndReason, EventKind, Health
from hive.models import BackupDay, Event, HealthChange, Repository
from hive.services.health import days, missing, review, schedules
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.health.strips import DayKind, strip, strips
from hive.services.permissions import OPERATOR
from hive.services.server import former_days
from tests import factories
from tests.factories import People
from tests.statements import recorded
from tests.web.rows import RUNNING, add_session

START = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MADE, LATE, DUE, MISSING = DayKind.MADE, DayKind.LATE, DayKind.DUE, DayKind.MISSING
FAILED, RUN, NOTHING, ABSENT = DayKind.FAILED, DayKind.RUNNING, DayKind.NOTHING, DayKind.ABSENT


class Time:
    """The clock of these tests."""

    def __init__(self) -> None:
        self.at = START
        clock.use(lambda: self.at)

    async def pass_by(self, span: timedelta) -> None:
        end = self.at + span
        while self.at < end:
            self.at = min(self.at + HOUR / 2, end)
            await review.review_due()
            await missing.note_missing()


@pytest.fixture
def time() -> Time:
    return Time()


async def _daily(people: People) -> int:
    made = await factories.make_repository(people.alice)
    change = ScheduleChange(every=DAY, grace=6 * HOUR)
    await schedules.set_schedule(people.alice, made.id, change)
    return made.id


async def _kinds(repository_id: int, length: int, zone: str = "UTC") -> list[DayKind]:
    health = await health_info.health_info(OPERATOR, repository_id)
    found = await strip(health, ZoneInfo(zone), length)
    assert found.days[-1].date == clock.now().astimezone(ZoneInfo(zone)).date()
    return [one.kind for one in found.days]


async def test_each_day_says_what_became_of_its_backup(time: Time, people: People) -> None:
    made = await _daily(people)
    await review.note_backup(made, time.at)
    await time.pass_by(DAY - HOUR)
    await review.note_backup(made, time.at)
    await time.pass_by(DAY + 2 * HOUR)
    assert await _kinds(made, 4) == [ABSENT, MADE, MADE, DUE]
    await review.note_backup(made, time.at)
    assert await _kinds(made, 4) == [ABSENT, MADE, MADE, LATE]
    await time.pass_by(3 * DAY)
    assert await _kinds(made, 6) == [MADE, MADE, LATE, MISSING, MISSING, MISSING]
    await review.note_backup(made, time.at)
    assert await _kinds(made, 6) == [MADE, MADE, LATE, MISSING, MISSING, LATE]


async def test_weekly_backups_are_not_missed_in_between(time: Time, people: People) -> None:
    made = await _daily(people)
    await schedules.set_schedule(
        people.alice, made, ScheduleChange(cron="0 3 * * sun", timezone="Europe/Berlin")
    )
    await review.note_backup(made, time.at)
    await time.pass_by(5 * DAY)
    assert await _kinds(made, 6) == [MADE, NOTHING, MISSING, NOTHING, NOTHING, MISSING]
    await schedules.pause(people.alice, made, time.at + 9 * DAY)
    await time.pass_by(2 * DAY)
    assert (await _kinds(made, 3))[1:] == [NOTHING, NOTHING]


async def test_a_day_is_one_of_the_readers_time_zone(time: Time, people: People) -> None:
    made = (await factories.make_repository(people.alice)).id
    time.at = datetime(2026, 11, 21, 22, 40, tzinfo=UTC)
    await review.note_backup(made, time.at)
    time.at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert (await _kinds(made, 2))[0] == MADE
    assert (await _kinds(made, 2, "Europe/Berlin"))[0] == MADE  # 23:40
    assert (await _kinds(made, 2, "Europe/Helsinki"))[1] == MADE  # 00:40 of the next day
    assert (await _kinds(made, 2, "Asia/Kolkata"))[1] == MADE


async def test_days_of_23_and_25_hours_follow_each_other_without_a_gap(
    time: Time, people: People
) -> None:
    made = await _daily(people)
    time.at = datetime(2026, 10, 24, 12, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    for _ in range(6):
        await days.note_made(made, time.at.astimezone(zone).replace(hour=23), is_late=False)
        time.at += DAY
    health = await health_info.health_info(OPERATOR, made)
    found = await strip(health, zone, 7)
    assert [one.kind for one in found.days[:-1]] == [MADE] * 6


async def test_a_failed_session_shows_where_no_backup_was_made(time: Time, people: People) -> None:
    made = await _daily(people)
    await days.note_failed(made, time.at)
    assert await _kinds(made, 1) == [FAILED]
    await add_session(made, minutes_ago=3, **RUNNING)
    assert await _kinds(made, 1) == [RUN]
    await review.note_backup(made, time.at)
    assert await _kinds(made, 1) == [MADE]


async def test_what_was_undone_was_not_made(time: Time, people: People) -> None:
    made = await _daily(people)
    for _ in range(3):
        session = await add_session(made, minutes_ago=5, archive_created=ArchiveCreated.YES)
        assert session.ended_at is not None
        await review.note_backup(made, session.ended_at)
        await time.pass_by(DAY - HOUR)
    assert await _kinds(made, 4) == [MADE, MADE, MADE, NOTHING]
    await review.correct_backup(made, START - timedelta(seconds=108), is_estimated=False)
    assert (await _kinds(made, 4))[:2] == [MADE, NOTHING]
    await review.correct_backup(made, session.ended_at, is_estimated=False)
    assert (await _kinds(made, 4))[:3] == [MADE, MADE, MADE]
    await review.correct_backup(made, None, is_estimated=False)
    assert MADE not in await _kinds(made, 4)


async def test_the_days_of_former_versions_are_drawn_up_from_sessions(
    time: Time, people: People
) -> None:
    made = await factories.make_repository(people.alice)
    await Repository.filter(id=made.id).update(created_at=START - 9 * DAY, days_known=False)
    for back, given in (
        (4, {"archive_created": ArchiveCreated.YES}),
        (1, {"archive_created": ArchiveCreated.YES}),
        (0, {"end_reason": EndReason.KILLED}),
    ):
        failed = await add_session(made.id, minutes_ago=back * 1440 + 5, **given)
    for days_back, health in ((3, Health.LATE), (2.7, Health.DOWN), (0.5, Health.FINE)):
        at = START - days_back * DAY
        await HealthChange.create(
            repository_id=made.id, at=at, former=Health.FINE, health=health, lasted_seconds=1
        )
    await Event.create(
        repository_id=made.id, at=time.at, kind=EventKind.SESSION_FAILED, message="It failed."
    )
    assert await former_days.draw_up() == 1
    assert await _kinds(made.id, 6) == [NOTHING, MADE, MISSING, MISSING, LATE, FAILED]
    assert (await Repository.get(id=made.id)).failed_session_id == failed.id
    assert await former_days.draw_up() == 0


async def test_days_are_kept_for_as_long_as_they_are_shown(time: Time, people: People) -> None:
    made = await _daily(people)
    await days.note_made(made, time.at - days.KEPT - DAY, is_late=False)
    assert await BackupDay.all().count() == 0
    await days.note_made(made, time.at, is_late=False)
    time.at += days.KEPT - DAY
    assert await days.forget_old() == 0
    time.at += 2 * DAY
    assert await days.forget_old() == 1


async def test_strips_cost_two_queries_however_many_repositories_there_are(
    time: Time, people: People
) -> None:
    ids = [(await factories.make_repository(people.alice, name)).id for name in ("a", "b", "c")]
    for one in ids:
        await review.note_backup(one, time.at)
    healths = await health_info.health_infos(OPERATOR, ids)
    statements = await recorded()
    found = await strips(healths.values(), None, 90)
    assert len(statements) == 2
    assert [one.counts for one in found.values()] == [{MADE: 1, ABSENT: 89}] * 3
