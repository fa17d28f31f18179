"""What is done again and again: in time, once, and whatever becomes of a job."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hive import background, clock
from hive.config.settings import Settings
from hive.errors import Conflict, Forbidden, NotFound, StorageError, Unavailable
from hive.models import AuditEntry
from hive.models import Job as Row
from hive.services import runtime
from hive.services.permissions import OPERATOR
from hive.services.server import jobs, scheduler
from hive.services.server.jobs import Job
from hive.services.server.scheduler import INTERRUPTED, Scheduler, next_time
from tests.e2e.gate import harness
from tests.factories import People

START = datetime(2026, 11, 20, 3, 12, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Time:
    def __init__(self) -> None:
        self.at = START
        clock.use(lambda: self.at)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def _no_scheduler_is_left(hive: Settings) -> Iterator[None]:
    yield
    assert scheduler.tick_age() is None


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await harness.until(holds)


class Work:
    """A job that counts how often it was done."""

    def __init__(self, body: Callable[[], Awaitable[object]] | None = None) -> None:
        self.at: list[datetime] = []
        self.most_at_once = self._now = 0
        self._body = body

    async def __call__(self) -> object:
        self.at.append(clock.now())
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await self._body() if self._body is not None else None
        finally:
            self._now -= 1


async def forever() -> None:
    await asyncio.Event().wait()


async def ticked(made: Scheduler) -> None:
    """One look, and the end of what it began."""
    await asyncio.gather(*await made.tick())


async def prepared(*given: Job) -> Scheduler:
    made = Scheduler(given, give_up_seconds=0.05)
    await made.prepare()
    return made


async def row_of(name: str) -> Row:
    return await Row.get(name=name)


async def test_a_job_is_done_at_once_and_then_at_the_multiples_of_its_interval(time: Time) -> None:
    work = Work()
    made = await prepared(Job("work", HOUR, work))
    for _ in range(6 * 60):
        await ticked(made)
        time.at += timedelta(minutes=1)
    assert work.at[0] == START
    # each within a minute of the full hour, the last as the first: nothing drifts
    assert [at.replace(minute=0, second=0) for at in work.at[1:]] == [
        START.replace(hour=hour, minute=0, second=0) for hour in range(4, 10)
    ]
    assert {at.minute for at in work.at[1:]} == {0}
    assert (await row_of("work")).next_at == START.replace(hour=10, minute=0, second=0)


async def test_a_downtime_is_made_up_for_once(time: Time) -> None:
    work = Work()
    await ticked(await prepared(Job("work", HOUR, work)))
    time.at += timedelta(minutes=20)
    again = await prepared(Job("work", HOUR, work))
    await ticked(again)
    assert len(work.at) == 1  # a restart alone is no reason
    time.at += timedelta(days=3)
    again = await prepared(Job("work", HOUR, work))
    for _ in range(3):
        await ticked(again)
    assert len(work.at) == 2


async def test_some_are_done_at_every_start(time: Time) -> None:
    work = Work()
    for _ in range(2):
        await ticked(await prepared(Job("work", HOUR, work, at_start=True)))
    assert len(work.at) == 2


async def test_a_time_too_far_away_is_none(time: Time) -> None:
    """The clock was wrong when it was stored, or the interval was longer."""
    work = Work()
    await Row.create(name="work", next_at=START + timedelta(days=9000))
    made = await prepared(Job("work", HOUR, work))
    time.at += HOUR
    await ticked(made)
    assert len(work.at) == 1


def test_each_installation_has_its_own_time_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("work", timedelta(days=1), Work(), jitter=6 * HOUR)
    seen = set()
    for number in range(50):
        monkeypatch.setattr(runtime, "host_id", lambda number=number: f"host-{number}")
        at = next_time(job, START)
        assert START < at <= START + timedelta(days=1)
        assert 0 <= at.hour < 6
        assert next_time(job, at) == at + timedelta(days=1)
        assert next_time(job, at - timedelta(seconds=1)) == at
        seen.add(at.time())
    assert len(seen) > 40


async def test_a_job_that_fails_says_why_and_comes_again(time: Time) -> None:
    async def fail() -> None:
        raise StorageError("The disk is gone.")

    async def break_down() -> None:
        raise RuntimeError("secret")

    made = await prepared(Job("fails", HOUR, fail), Job("breaks", HOUR, break_down))
    await ticked(made)
    failed, broken = await row_of("fails"), await row_of("breaks")
    assert failed.error == "The disk is gone."
    assert broken.error == "An unexpected RuntimeError; the server's log says more."
    assert failed.ended_at == START
    assert failed.succeeded_at is None
    time.at += HOUR
    assert len(await made.tick()) == 2
    await asyncio.gather(*made._running.values())


async def test_a_success_takes_the_error_away(time: Time) -> None:
    await Row.create(name="work", next_at=START, error="It was bad.")
    await ticked(await prepared(Job("work", HOUR, Work())))
    assert await Row.filter(name="work", error=None, succeeded_at=START).exists()


async def test_one_that_hangs_is_ended_and_delays_no_other(time: Time) -> None:
    work, hanging = Work(), Work(forever)
    made = await prepared(
        Job("hangs", HOUR, hanging, limit=timedelta(seconds=0.2)), Job("work", HOUR, work)
    )
    tasks = await made.tick()
    await until(lambda: bool(work.at and hanging.at))
    assert len(await made.tick()) == 0
    time.at += HOUR
    await asyncio.gather(*[task for task in tasks if task.get_name() == "work"])
    tasks += await made.tick()
    await asyncio.gather(*tasks)
    assert len(work.at) == 2
    assert hanging.most_at_once == 1
    error = (await row_of("hangs")).error
    assert error is not None
    assert error.startswith("It took longer than")


async def test_one_that_cannot_be_ended_is_never_done_twice_at_once(time: Time) -> None:
    may_end = asyncio.Event()

    async def stubborn() -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    work = Work(stubborn)
    made = await prepared(Job("stubborn", HOUR, work, limit=timedelta(seconds=0.05)))
    (task,) = await made.tick()

    async def is_said() -> bool:
        return "restart the server" in ((await row_of("stubborn")).error or "")

    await harness.until(is_said)
    time.at += 5 * HOUR
    assert await made.tick() == []
    with pytest.raises(Conflict, match="running already"):
        made.start(Job("stubborn", HOUR, work))
    may_end.set()
    await task
    await ticked(made)
    assert (work.most_at_once, len(work.at)) == (1, 2)


async def test_two_schedulers_on_one_database_do_it_once(time: Time) -> None:
    work = Work(lambda: asyncio.sleep(0.1))
    both = [await prepared(Job("work", HOUR, work)) for _ in range(2)]
    await asyncio.gather(*(ticked(made) for made in both))
    assert len(work.at) == 1


async def test_the_end_of_the_server_ends_what_runs_and_says_so(time: Time) -> None:
    work = Work(forever)
    made = Scheduler([Job("work", HOUR, work)])
    running = background.spawn(made.run(), name="scheduler")
    await until(lambda: bool(work.at))
    assert scheduler.tick_age() is not None
    running.cancel()
    await until(lambda: not made._running)
    row = await row_of("work")
    assert (row.error, row.ended_at) == (INTERRUPTED, START)


async def test_what_a_killed_server_left_running_can_run_again(time: Time) -> None:
    await Row.create(name="work", next_at=START + HOUR / 2, started_at=START - HOUR)
    work = Work()
    made = await prepared(Job("work", HOUR, work))
    row = await row_of("work")
    assert (row.error, row.ended_at) == (INTERRUPTED, START)
    time.at += HOUR
    await ticked(made)
    assert len(work.at) == 1


async def test_a_scheduler_whose_database_fails_goes_on(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    made = Scheduler([Job("work", HOUR, work)])
    original = made.prepare
    failures: list[int] = []

    async def prepare() -> None:
        if not failures:
            failures.append(1)
            raise StorageError("gone")
        await original()

    monkeypatch.setattr(made, "prepare", prepare)
    monkeypatch.setattr(made, "_pause", lambda: 0.01)
    running = background.spawn(made.run(), name="scheduler")
    await until(lambda: bool(work.at))
    running.cancel()
    assert failures


async def test_jobs_are_for_administrators(people: People, time: Time) -> None:
    for attempt in (
        lambda: scheduler.list_jobs(people.alice),
        lambda: scheduler.run_now(people.alice, "watch the disks"),
        lambda: scheduler.run_here(people.alice, "watch the disks"),
    ):
        with pytest.raises(Forbidden):
            await attempt()
    listed = await scheduler.list_jobs(people.admin)
    assert [info.name for info in listed] == [job.name for job in jobs.JOBS]
    assert {info.next_at for info in listed} == {None}
    with pytest.raises(Unavailable):
        await scheduler.run_now(people.admin, "watch the disks")
    with pytest.raises(NotFound, match=r"there are: .*look at schedules"):
        await scheduler.run_here(OPERATOR, "win")
    done = await scheduler.run_here(people.admin, "watch-the-disks")
    assert (done.error, done.succeeded_at, done.is_running) == (None, START, False)
    assert done.took == timedelta(0)
    assert await AuditEntry.filter(action="job.run", actor="admin").count() == 1


async def test_a_scheduler_that_hangs_is_told_by_its_age(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Scheduler([Job("work", HOUR, Work())])
    monkeypatch.setattr(made, "tick", forever)
    running = background.spawn(made.run(), name="scheduler")
    await until(lambda: (scheduler.tick_age() or 0) > 0.2)
    running.cancel()
    await until(lambda: scheduler.tick_age() is None)
