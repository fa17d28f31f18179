"""Rollback in the background of the server: reading a large log takes hours, and can be cancelled.

One at a time for each repository, a few in all. What came of it is kept in memory: it can be
read off the repository again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hive import log, long_work, memory
from hive.background import spawn
from hive.borg.repository import state_of
from hive.borg.rollback import ReadingProgress
from hive.errors import Conflict, HiveError
from hive.long_work import WorkInfo, WorkKind
from hive.models import Repository
from hive.sentences import say
from hive.services.permissions import Actor
from hive.services.repositories import infos as repository_infos
from hive.services.rollback import preview
from hive.services.rollback import work as rollback_work
from hive.services.rollback.preview import RollbackOutlook

logger = log.get(__name__)

_FRESH = 60.0  # seconds
_MOST_AT_ONCE = 4
_MOST_KEPT = 50  # results of looking, a list of some hundred steps each


@dataclass
class RollbackJob:
    """A reading under way or over. `problem` says why it failed."""

    is_rollback: bool
    state: str  # of the repository when it was read
    reading: ReadingProgress = field(default_factory=ReadingProgress)
    task: asyncio.Task[None] | None = None
    outlook: RollbackOutlook | None = None
    begun: float = field(default_factory=time.monotonic)
    problem: str | None = None
    seconds: float = 0.0  # that it took

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    def is_true_of(self, state: str) -> bool:
        """Whether what was read still holds; who did what may be known a little later."""
        is_fresh = time.monotonic() - self.begun < max(_FRESH, 2 * self.seconds)
        return self.outlook is not None and self.state == state and is_fresh

    @property
    def percent(self) -> int:
        return self.reading.percent


@dataclass
class _Memory:
    jobs: dict[int, RollbackJob] = field(default_factory=dict)


def _jobs() -> dict[int, RollbackJob]:
    return memory.of(_Memory).jobs


async def look(actor: Actor, repository_id: int, *, patience: float) -> RollbackJob:
    """What the repository can go back to, or how far the reading is after so many seconds.

    A reading that is under way, or that is still true, is not begun again.
    """
    row = await preview.changeable(actor, repository_id)
    state = await _state(row)
    job = _jobs().get(repository_id)
    if job is None or not (job.is_running or job.is_true_of(state)):
        job = RollbackJob(is_rollback=False, state=state)
        _begin(repository_id, job, _look(actor, repository_id, job))
    await _wait(job, patience)
    return job


async def begin(
    actor: Actor, repository_id: int, transaction: int, *, expected: int, patience: float
) -> RollbackJob:
    """Roll back; Conflict where a rollback, or a reading, of this repository is under way."""
    row = await preview.changeable(actor, repository_id)
    former = _jobs().get(repository_id)
    if former is not None and former.is_running:
        raise Conflict("This repository is being read just now. Try again in a moment.")
    job = RollbackJob(is_rollback=True, state=await _state(row))
    _begin(repository_id, job, _roll_back(actor, repository_id, transaction, expected, job))
    await _wait(job, patience)
    return job


async def cancel(actor: Actor, repository_id: int) -> bool:
    """Stop a reading; once files move, a rollback goes on to its end. Whether one was there."""
    await preview.changeable(actor, repository_id)
    job = _jobs().get(repository_id)
    if job is None or not job.is_running:
        return False
    job.reading.cancel()
    return True


async def _state(row: Repository) -> str:
    path = repository_infos.place_of(row).repository
    return await asyncio.to_thread(state_of, path)


def _begin(repository_id: int, job: RollbackJob, work: Coroutine[Any, Any, None]) -> None:
    if sum(one.is_running for one in _jobs().values()) >= _MOST_AT_ONCE:
        work.close()
        raise Conflict("Other repositories are being read just now. Try again later.")
    over = [key for key, one in _jobs().items() if not one.is_running]
    for other in over[:-_MOST_KEPT]:
        del _jobs()[other]
    _jobs()[repository_id] = job
    job.task = spawn(_kept(repository_id, job, work), name=f"rollback of {repository_id}")


def progress(repository_id: int) -> WorkInfo | None:
    """How far the reading of this repository's log is; None where nothing is read."""
    return long_work.one(repository_id, WorkKind.ROLLBACK)


async def _kept(repository_id: int, job: RollbackJob, work: Coroutine[Any, Any, None]) -> None:
    try:
        async with long_work.under_way(repository_id, WorkKind.ROLLBACK, job.reading.look):
            await work
    except HiveError as error:
        job.problem = error.message
    except asyncio.CancelledError:
        job.problem = say("The server was stopped.")
        raise
    finally:
        job.seconds = time.monotonic() - job.begun


async def _look(actor: Actor, repository_id: int, job: RollbackJob) -> None:
    job.outlook = await preview.look(actor, repository_id, job.reading)


async def _roll_back(
    actor: Actor, repository_id: int, transaction: int, expected: int, job: RollbackJob
) -> None:
    await rollback_work.roll_back(
        actor, repository_id, transaction, expected=expected, reading=job.reading
    )


async def _wait(job: RollbackJob, patience: float) -> None:
    if job.task is not None:
        await asyncio.wait([job.task], timeout=patience)


def take(repository_id: int) -> RollbackJob | None:
    """A rollback that is over: its result is reported once."""
    job = _jobs().get(repository_id)
    if job is None or job.is_running or not job.is_rollback:
        return None
    return _jobs().pop(repository_id)
