"""A clock that jumps causes nothing that cannot be taken back; once confirmed, all goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from hive import clock, memory
from hive.errors import Conflict, Forbidden, RefusalCause
from hive.kinds import Health, Severity
from hive.models import ClockState, Event, Grant, Job, Key, Notification, Repository, WebSession
from hive.services.accounts import browser_sessions, users
from hive.services.alarms import server_alarms
from hive.services.clock import trust
from hive.services.gate import authentication
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.server import clock_watch, doctor, jobs
from hive.services.server.clock_watch import ClockWatch
from hive.services.server.scheduler import Scheduler
from tests import factories
from tests.another_process import forget
from tests.factories import People

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Clocks:
    """Both clocks of a machine; the one on the wall can be set."""

    def __init__(self) -> None:
        self.wall, self.elapsed = START, 5000.0
        clock.use(lambda: self.wall)
        clock.use_elapsed(lambda: self.elapsed)

    def run(self, span: timedelta) -> None:
        self.wall += span
        self.elapsed += span.total_seconds()

    def jump(self, span: timedelta) -> None:
        self.wall += span
        self.run(timedelta(seconds=1))


@pytest.fixture
async def clocks(people: People, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clocks]:
    """A server that has watched the clock for a while, on a machine without NTP."""
    monkeypatch.setattr(trust, "is_synchronised", lambda: False)
    made = Clocks()
    await trust.start()
    await run(made, timedelta(minutes=2))
    yield made
    clock.use_elapsed(None)


async def run(clocks: Clocks, span: timedelta) -> None:
    """Let time pass, with a look each minute."""
    for _ in range(int(span // timedelta(minutes=1))):
        clocks.run(timedelta(minutes=1))
        await ClockWatch().look()


async def notified(kind: str = "clock jumped") -> list[str]:
    rows = await Notification.filter(kind=kind).order_by("id")
    return [row.severity for row in rows]


async def downs() -> int:
    return await Event.filter(kind__in=["late", "down"]).count()


async def deleted_repository(people: People) -> int:
    made = await factories.make_repository(people.alice, "photos")
    await trash.delete_repository(people.alice, made.id)
    return made.id


async def watched_repository(people: People) -> int:
    """A repository that expects a backup each day and has just had one."""
    made = await factories.make_repository(people.alice, "laptop")
    await schedules.set_schedule(people.alice, made.id, ScheduleChange(every=DAY))
    await review.note_backup(made.id, clock.now())
    return made.id


@pytest.mark.parametrize("jump", [40 * DAY, 4000 * DAY])
async def test_the_trash_is_not_emptied_by_a_jump(
    clocks: Clocks, people: People, jump: timedelta
) -> None:
    repository_id = await deleted_repository(people)
    clocks.jump(jump)
    assert await trash.empty_expired() == 0
    assert await Repository.filter(id=repository_id).exists()
    clocks.jump(-jump)
    await trash.restore_repository(people.alice, repository_id)


async def test_the_trash_is_emptied_when_the_new_time_is_confirmed(
    clocks: Clocks, people: People
) -> None:
    repository_id = await deleted_repository(people)
    clocks.jump(40 * DAY)
    await run(clocks, timedelta(minutes=59))
    await trash.empty_expired()
    assert await Repository.filter(id=repository_id).exists()
    await run(clocks, timedelta(minutes=3))
    await trash.empty_expired()
    assert not await Repository.filter(id=repository_id).exists()


@pytest.mark.parametrize("jump", [2 * DAY, 400 * DAY, -2 * DAY, -40 * DAY])
async def test_nothing_is_reported_as_late_and_administrators_get_one_message(
    clocks: Clocks, people: People, jump: timedelta
) -> None:
    await factories.hear_everything(people.admin)
    repository_id = await watched_repository(people)
    clocks.jump(jump)
    await run(clocks, timedelta(minutes=30))
    assert await review.review_due() == 0
    assert (await Repository.get(id=repository_id)).health == Health.FINE
    assert server_alarms.unknown(1) == "Clock jumped"
    assert len(server_alarms.outages()) == 1
    assert await notified() == [Severity.CRITICAL]
    assert await downs() == 0
    clocks.jump(-jump)
    await run(clocks, timedelta(minutes=2))
    await review.review_due()
    assert await notified() == [Severity.CRITICAL, Severity.RECOVERY]
    assert (await Repository.get(id=repository_id)).health == Health.FINE
    assert server_alarms.unknown(1) == ""
    assert await downs() == 0


async def test_what_is_late_by_the_new_time_is_reported_once_it_is_confirmed(
    clocks: Clocks, people: People
) -> None:
    repository_id = await watched_repository(people)
    clocks.jump(40 * DAY)
    await run(clocks, timedelta(minutes=5))
    await trust.confirm(people.admin)
    await run(clocks, timedelta(minutes=1))
    await review.review_due()
    assert (await Repository.get(id=repository_id)).health == Health.DOWN
    assert await downs() == 1


async def test_only_administrators_confirm_and_only_a_doubted_clock(
    clocks: Clocks, people: People
) -> None:
    with pytest.raises(Conflict, match="trusted already"):
        await trust.confirm(people.admin)
    clocks.jump(DAY)
    with pytest.raises(Forbidden):
        await trust.confirm(people.alice)
    assert not await trust.is_trusted()


async def test_a_command_that_confirms_is_heard_by_the_running_server(
    clocks: Clocks, people: People
) -> None:
    clocks.jump(DAY)
    await run(clocks, timedelta(minutes=1))
    known = memory.of(trust._Memory)
    server, known.server = known.server, None
    assert not await trust.is_trusted()
    await trust.confirm(OPERATOR)
    assert await trust.is_trusted()
    known.server = server
    assert not await trust.is_trusted()
    await ClockWatch().look()
    assert await trust.is_trusted()


@pytest.mark.parametrize("jump", [40 * DAY, -40 * DAY])
async def test_a_command_sees_a_jump_by_what_the_server_has_stored(
    clocks: Clocks, people: People, jump: timedelta
) -> None:
    repository_id = await deleted_repository(people)
    forget(trust)
    clocks.jump(jump)
    assert not await trust.is_trusted()
    await trash.empty_expired()
    assert await Repository.filter(id=repository_id).exists()
    (finding,) = await clock_watch.findings()
    assert finding.level == "error"
    assert "hive clock confirm" in (finding.remedy or "")


async def test_a_doubt_outlives_a_restart(clocks: Clocks) -> None:
    clocks.jump(40 * DAY)
    await ClockWatch().look()
    forget(trust)
    clocks.run(timedelta(minutes=1))
    await trust.start()
    assert not await trust.is_trusted()
    assert trust.estimated() < START + DAY


async def test_the_last_backup_is_never_in_the_future(clocks: Clocks, people: People) -> None:
    repository_id = await watched_repository(people)
    clocks.jump(40 * DAY)
    await review.note_backup(repository_id, clock.now())
    clocks.jump(-40 * DAY)
    shown = await catalogue.find_repository_by_id(people.alice, repository_id)
    assert shown.last_backup_at is not None
    assert START < shown.last_backup_at <= clock.now()


async def test_a_backup_made_in_doubt_moves_with_a_time_that_is_confirmed(
    clocks: Clocks, people: People
) -> None:
    repository_id = await watched_repository(people)
    clocks.jump(40 * DAY)
    made_at = clock.now()
    await review.note_backup(repository_id, made_at)
    await trust.confirm(people.admin)
    await run(clocks, timedelta(minutes=1))
    shown = await catalogue.find_repository_by_id(people.alice, repository_id)
    assert shown.last_backup_at == made_at


async def test_a_last_backup_from_a_clock_that_was_ahead_is_not_known_until_the_next(
    clocks: Clocks, people: People
) -> None:
    repository_id = await watched_repository(people)
    ahead = Repository.filter(id=repository_id)
    await ahead.update(last_backup_at=clock.now() + 400 * DAY)
    shown = await catalogue.find_repository_by_id(people.alice, repository_id)
    assert shown.last_backup_at is None
    said = [one.message for one in await doctor.examine_running(people.admin)]
    assert any("lies in the future for 1 repositories (laptop)" in one for one in said)
    await review.note_backup(repository_id, clock.now())
    assert (await ahead.get()).last_backup_at == clock.now()
    clocks.run(30 * DAY)
    await review.review_due()
    assert (await ahead.get()).health == Health.DOWN


async def test_a_key_has_expired_by_either_time(clocks: Clocks, people: People) -> None:
    made = await factories.make_repository(people.alice, "laptop")
    key = await factories.make_key(people.alice, "laptop")
    await Key.filter(id=key.id).update(expires_at=START + 10 * DAY)
    await Grant.create(repository_id=made.id, key_id=key.id, access="full", created_at=clock.now())
    row = await Key.get(id=key.id).select_related("owner")

    async def may_log_in() -> bool:
        return (
            await authentication.authenticate(made.login, key.fingerprint, "192.0.2.1") is not None
        )

    assert await may_log_in()
    clocks.jump(20 * DAY)
    assert not await may_log_in()
    assert authentication.problem_of(row, "192.0.2.1") == RefusalCause.KEY_EXPIRED
    assert authentication.problem_of(row, "192.0.2.1", is_running=True) is None
    await trust.confirm(people.admin)
    assert authentication.problem_of(row, "192.0.2.1", is_running=True) == RefusalCause.KEY_EXPIRED
    clocks.jump(-40 * DAY)
    assert not await may_log_in()
    await trust.confirm(people.admin)
    assert await may_log_in()


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY])
async def test_a_jump_logs_nobody_out(clocks: Clocks, people: People, jump: timedelta) -> None:
    user = await users.get_user(people.alice, people.alice.user_id or 0)
    token = await browser_sessions.open_session(user, address="192.0.2.1", user_agent="")
    clocks.jump(jump)
    assert await browser_sessions.user_of(token) is not None
    clocks.jump(-jump)
    clocks.run(60 * DAY)
    assert await browser_sessions.user_of(token) is None
    assert not await WebSession.exists()


@pytest.mark.parametrize("jump", [40 * DAY, 4000 * DAY])
async def test_jobs_count_from_the_clock_after_it_went_back(
    clocks: Clocks, jump: timedelta
) -> None:
    done: list[datetime] = []

    async def work() -> None:
        done.append(clock.now())

    daily = jobs.Job("daily", DAY, work)
    made = Scheduler([daily])
    clocks.jump(jump)
    await made.prepare()
    for task in await made.tick():
        await task
    clocks.jump(-jump)
    done.clear()
    for _ in range(3):
        for task in await made.tick():
            await task
        clocks.run(DAY)
    assert len(done) >= 2
    assert (await Job.get(name="daily")).next_at <= clock.now() + DAY


async def test_jobs_that_wait_for_the_clock_say_so_and_go_on_later(clocks: Clocks) -> None:
    done: list[datetime] = []

    async def work() -> None:
        done.append(clock.now())

    waiting = jobs.Job("waiting", timedelta(hours=1), work, waits_for_clock=True)
    made = Scheduler([waiting])
    await made.prepare()
    clocks.jump(40 * DAY)
    for task in await made.tick():
        await task
    assert done == []
    assert "The clock jumped" in ((await Job.get(name="waiting")).error or "")
    await run(clocks, timedelta(minutes=62))
    for task in await made.tick():
        await task
    assert len(done) == 1
    assert (await Job.get(name="waiting")).error is None


def test_whatever_deletes_or_reports_by_age_waits_for_the_clock() -> None:
    waiting = {job.name for job in jobs.JOBS if job.waits_for_clock}
    assert waiting == {
        "look at schedules",
        "keep which backups are missing",
        "warn of keys that expire",
        "end what has expired",
        "escalate what nobody answers",
        "forget old days",
        "empty the trash",
        "thin out statistics",
        "want checks and compactions",
        "write digests",
        "discard old imports",
        "end quiet alarms",
        "forget old notifications",
        "judge the runs",
        "forget old logs of clients",
        "sweep up logs of clients",
        "forget old calls of triggers",
    }


async def test_the_stored_clock_is_the_one_of_the_last_look(clocks: Clocks) -> None:
    await run(clocks, timedelta(minutes=5))
    assert (await ClockState.get()).wall == clocks.wall
