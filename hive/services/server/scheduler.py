"""The one scheduler: does every job of hive/services/server/jobs.py when its time has come.

The next time of a job is in the database before it begins, and counted from the clock, not from
its end: nothing drifts, and after a downtime each job that was missed is done once. A job runs
in a separate task, so that one that hangs delays no other.

Only one process does jobs on a data directory: the server, or without it a command that holds
the server's lock (hive/control.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.expressions import Q

from hive import clock, log, memory
from hive.background import spawn
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import Conflict, HiveError, NotFound, Unavailable
from hive.models import Job as Row
from hive.sentences import say
from hive.services import audit, runtime
from hive.services.clock import trust
from hive.services.permissions import Actor, require_operator, require_sight
from hive.services.server import database_watch, jobs
from hive.services.server.jobs import Job

logger = log.get(__name__)

MAX_TICK_AGE = 60.0  # seconds; more, and the scheduler itself hangs
INTERRUPTED = say("The server ended before this was done.")

_LONGEST_SLEEP = 5.0  # seconds; the clock may be set meanwhile
_CORRECTED_BY = timedelta(minutes=1)  # a clock that is kept right is not brought back for
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Memory:
    current: Scheduler | None = None  # the one that runs in this process


class Scheduler:
    """Does jobs until it is cancelled."""

    def __init__(
        self, all_jobs: Iterable[Job] = jobs.JOBS, *, give_up_seconds: float = 10.0
    ) -> None:
        self._jobs = {job.name: job for job in all_jobs}
        self._give_up_seconds = give_up_seconds  # for a job that was cancelled
        self._next: dict[str, datetime] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._bodies: dict[str, asyncio.Task[object]] = {}
        self._looked = time.monotonic()
        self._is_stopping = False

    @property
    def age(self) -> float:
        """Seconds since it last looked whether a job is due."""
        return time.monotonic() - self._looked

    async def run(self) -> None:
        """Look again and again; a look that fails is logged, and the next one comes."""
        running = memory.of(_Memory)
        running.current = self
        try:
            while True:
                try:
                    if not self._next:
                        await self.prepare()
                    await self.tick()
                except (HiveError, DriverError, OSError) as error:
                    logger.error("the scheduler cannot look", reason=str(error))
                await asyncio.sleep(self._pause())
        except asyncio.CancelledError:
            running.current = None  # after any other end it stays, and its age tells
            raise
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Have the jobs end that run."""
        self._is_stopping = True
        for body in self._bodies.values():
            body.cancel()

    async def prepare(self) -> None:
        """Read when each job comes next; call once, when no other process can be at it."""
        await _close_interrupted()
        self._next = {job.name: await _planned(job) for job in self._jobs.values()}

    async def tick(self) -> list[asyncio.Task[None]]:
        """Start the jobs that are due, and return their tasks."""
        now = clock.now()
        await self._bring_back(now)
        due = [name for name, at in self._next.items() if at <= now and name not in self._running]
        begun = [self.start(self._jobs[name]) for name in due]
        self._looked = time.monotonic()
        return begun

    async def _bring_back(self, now: datetime) -> None:
        """Count from the clock after it went back, so that no job stops for years."""
        for name, at in self._next.items():
            if at - now > self._jobs[name].interval + _CORRECTED_BY:
                self._next[name] = next_time(self._jobs[name], now)
                await _note_next(name, self._next[name])

    def start(self, job: Job) -> asyncio.Task[None]:
        """Begin the job now; Conflict where it runs."""
        if job.name in self._running:
            raise Conflict("The job %(name)r is running already.", name=job.name)
        # Taken before anything is awaited: a second start comes too late.
        task = self._running[job.name] = spawn(self._do(job), name=job.name)
        task.add_done_callback(lambda _: self._running.pop(job.name))
        return task

    async def _do(self, job: Job) -> None:
        self._next[job.name] = next_time(job, clock.now())
        try:
            await _begin(job, self._next[job.name])
        except (HiveError, DriverError) as error:
            logger.error("a job cannot begin", job=job.name, reason=str(error))
            return
        body = self._bodies[job.name] = spawn(_body(job), name=f"{job.name}: body")
        if self._is_stopping:
            body.cancel()
        try:
            await _end(job.name, await self._outcome(job, body))
        except (HiveError, DriverError) as trouble:
            logger.error("the end of a job is not kept", job=job.name, reason=str(trouble))
        finally:
            del self._bodies[job.name]

    async def _outcome(self, job: Job, body: asyncio.Task[object]) -> str | None:
        """Wait for the job to end; what went wrong, in words."""
        seconds = job.limit.total_seconds()
        await asyncio.wait({body}, timeout=seconds)
        if body.done():
            return _result(job, body)
        error = say("It took longer than %(seconds).0f seconds and was stopped.", seconds=seconds)
        logger.error("a job hangs", job=job.name, seconds=seconds)
        body.cancel()
        await asyncio.wait({body}, timeout=self._give_up_seconds)
        if not body.done():
            # It never runs twice at once, so all that is left is to report it.
            await _note_error(
                job.name, say("%(problem)s It did not end: restart the server.", problem=error)
            )
            await asyncio.wait({body})
        return error

    def _pause(self) -> float:
        waiting = [at for name, at in self._next.items() if name not in self._running]
        if not waiting:
            return _LONGEST_SLEEP
        seconds = (min(waiting) - clock.now()).total_seconds()
        return min(max(seconds, 0.05), _LONGEST_SLEEP)


class _Postponed(HiveError):
    """The job waits until the clock, or the database, can be trusted again."""


async def _body(job: Job) -> object:
    if job.waits_for_clock and database_watch.is_lost():
        raise _Postponed(database_watch.NO_JOBS)
    if job.waits_for_clock and not await trust.is_trusted():
        raise _Postponed("The clock jumped: nothing is done until its time is confirmed.")
    return await job.run()


def _result(job: Job, body: asyncio.Task[object]) -> str | None:
    if body.cancelled():
        return INTERRUPTED
    error = body.exception()
    if error is None:
        if result := body.result():
            logger.info("a job did something", job=job.name, count=result)
        return None
    if isinstance(error, _Postponed):
        logger.info("a job waits", job=job.name, reason=str(error))
        return _words(error)
    if isinstance(error, HiveError | DriverError | OSError):
        logger.error("a job failed", job=job.name, reason=str(error))
        return _words(error)
    logger.error("a job failed", job=job.name, exc_info=error)
    return say("An unexpected %(error)s; the server's log says more.", error=type(error).__name__)


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, HiveError) else str(error)


def next_time(job: Job, now: datetime) -> datetime:
    """The job's next time after `now`: a multiple of its interval, and its own bit of jitter."""
    offset = _EPOCH + _jitter(job)
    return offset + ((now - offset) // job.interval + 1) * job.interval


def _jitter(job: Job) -> timedelta:
    """Always the same for an installation, so that a day is a day, and another for each."""
    seed = f"{runtime.host_id()} {job.name}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 2**32
    return timedelta(seconds=int(job.jitter.total_seconds() * share))


@transactional
async def _close_interrupted() -> None:
    open_rows = Row.filter(started_at__not_isnull=True, ended_at=None)
    await open_rows.update(ended_at=clock.now(), error=INTERRUPTED)


@transactional
async def _planned(job: Job) -> datetime:
    now = clock.now()
    row, _ = await Row.get_or_create(name=job.name, defaults={"next_at": now})
    if job.at_start:
        await _note_next(job.name, now)
        return now
    # Never later than computed from now: the interval may have changed, or the clock was wrong.
    next_at = min(row.next_at, next_time(job, now))
    await _note_next(job.name, next_at)
    return next_at


@transactional
async def _note_next(name: str, next_at: datetime) -> None:
    await Row.filter(name=name).exclude(next_at=next_at).update(next_at=next_at)


@transactional
async def _begin(job: Job, next_at: datetime) -> None:
    """Compare and set: Conflict if it runs already."""
    now = clock.now()
    await Row.get_or_create(name=job.name, defaults={"next_at": next_at})
    idle = Row.filter(Q(started_at=None) | Q(ended_at__not_isnull=True), name=job.name)
    if await idle.update(started_at=now, ended_at=None, next_at=next_at) != 1:
        raise Conflict("it is running already, in another process")


@transactional
async def _end(name: str, error: str | None) -> None:
    now = clock.now()
    values: dict[str, Any] = {"ended_at": now, "error": error and error[:2000]}
    if error is None:
        values["succeeded_at"] = now
    await Row.filter(name=name).update(**values)


@transactional
async def _note_error(name: str, error: str) -> None:
    await Row.filter(name=name).update(error=error)


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    name: str
    interval: timedelta
    next_at: datetime | None  # None: no server has seen this job yet
    started_at: datetime | None
    ended_at: datetime | None
    succeeded_at: datetime | None
    error: str | None
    is_running: bool

    @property
    def took(self) -> timedelta | None:
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


def tick_age() -> float | None:
    """Seconds since the scheduler of this process last looked; None where there is none."""
    current = memory.of(_Memory).current
    return None if current is None else current.age


async def list_jobs(actor: Actor) -> list[JobInfo]:
    """All jobs, when they come next and how they ended last; administrators only."""
    require_sight(actor)
    rows = {row.name: row for row in await Row.all()}
    return [_info(job, rows.get(job.name)) for job in jobs.JOBS]


async def get_job(actor: Actor, name: str) -> JobInfo:
    """The job of this name; hyphens may stand for its blanks."""
    require_sight(actor)
    job = _find(name)
    return _info(job, await Row.get_or_none(name=job.name))


async def run_now(actor: Actor, name: str) -> JobInfo:
    """Have the server that is this process begin the job; Conflict where it runs already."""
    require_operator(actor)
    job = _find(name)
    current = memory.of(_Memory).current
    if current is None:
        raise Unavailable("The scheduler is not running.")
    current.start(job)
    await _audit_run(actor, job.name)
    return await get_job(actor, job.name)


async def run_here(actor: Actor, name: str) -> JobInfo:
    """Run the job in this process, which is not a server but holds the server's lock."""
    require_operator(actor)
    job = _find(name)
    await _close_interrupted()
    await _audit_run(actor, job.name)
    await Scheduler([job]).start(job)
    return await get_job(actor, job.name)


@transactional
async def _audit_run(actor: Actor, name: str) -> None:
    await audit.record(actor, "job.run", f"job {name}")


def _find(name: str) -> Job:
    for job in jobs.JOBS:
        if job.name.replace(" ", "-") == name.strip().lower().replace(" ", "-"):
            return job
    known = ", ".join(job.name for job in jobs.JOBS)
    raise NotFound("There is no job %(name)r; there are: %(known)s.", name=name[:60], known=known)


def _info(job: Job, row: Row | None) -> JobInfo:
    if row is None:
        return JobInfo(
            name=job.name,
            interval=job.interval,
            next_at=None,
            started_at=None,
            ended_at=None,
            succeeded_at=None,
            error=None,
            is_running=False,
        )
    return JobInfo(
        name=job.name,
        interval=job.interval,
        next_at=row.next_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        succeeded_at=row.succeeded_at,
        error=row.error,
        is_running=row.started_at is not None and row.ended_at is None,
    )
