"""Long work on repositories in this process: its progress, and how long it will still take.

Checks, compactions, imports that are verified, measuring, rollbacks and moves enter `under_way`;
pages and commands ask `of`. Progress is kept in memory only: what must survive a restart is in the
row of the work itself. Subscribers are notified at most once a second, and not at all of work that
ends within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hive import clock, memory, signals
from hive.background import spawn
from hive.meter import Meter, Reading, Unit

_TELL_EVERY = 1.0  # seconds
_SETTLE = 1.0  # seconds; what was done in an earlier turn is skipped at once, and is no pace
_LEAST_SECONDS = 5.0  # before that nothing is said of how long it takes
_LEAST_SHARE = 100  # and not before a hundredth was done


class WorkKind(StrEnum):
    """What takes long."""

    CHECK = "check"
    COMPACT = "compact"
    VERIFY = "verify"  # an import
    MEASURE = "measure"
    ROLLBACK = "rollback"
    MOVE = "move"


@dataclass(frozen=True, kw_only=True)
class WorkInfo:
    """How far a piece of work is.

    is_running  False: it is paused, and will continue from there
    begun_at    this turn
    reading     None where nothing can be counted
    left        about how long it still takes, by its pace so far; None where that says too little
    """

    repository_id: int
    kind: WorkKind
    is_running: bool
    begun_at: datetime
    reading: Reading | None
    left: timedelta | None

    @property
    def percent(self) -> int | None:
        return None if self.reading is None else self.reading.percent


class Pace:
    """How fast a meter moves, by a clock that nobody sets."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._first: tuple[float, Reading] | None = None
        self._last: tuple[float, Reading] | None = None

    def note(self, reading: Reading | None, now: float) -> None:
        if reading is None or now - self._begun < _SETTLE:
            return
        if self._first is None or not _is_comparable(self._first[1], reading):
            self._first = (now, reading)
        self._last = (now, reading)

    @property
    def left(self) -> timedelta | None:
        if self._first is None or self._last is None:
            return None
        (begun, first), (now, last) = self._first, self._last
        moved, seconds = last.done - first.done, now - begun
        if not last.total or seconds < _LEAST_SECONDS or moved * _LEAST_SHARE < last.total:
            return None
        return timedelta(seconds=(last.total - last.done) * seconds / moved)


def _is_comparable(first: Reading, later: Reading) -> bool:
    same = (first.unit, first.total) == (later.unit, later.total)
    return same and first.done <= later.done


class Work:
    """A piece of work under way. Its own code moves the meter; `keep` if it resumes later."""

    def __init__(
        self, repository_id: int, kind: WorkKind, look: Callable[[], Reading | None] | None = None
    ) -> None:
        self.repository_id = repository_id
        self.kind = kind
        self.meter = Meter()
        self._look = look or self.meter.look
        self._is_kept = False
        self._is_told = False
        self._told: Reading | None = None
        self.is_running = False
        self.begin()

    def begin(self) -> None:
        """Begin a turn."""
        self._is_kept = False
        self.is_running = True
        self.begun_at = clock.now()
        self._pace = Pace(time.monotonic())

    def keep(self) -> None:
        """Remember how far it is when this turn ends: it is not over."""
        self._is_kept = True

    @property
    def is_kept(self) -> bool:
        return self._is_kept

    @property
    def info(self) -> WorkInfo:
        return WorkInfo(
            repository_id=self.repository_id,
            kind=self.kind,
            is_running=self.is_running,
            begun_at=self.begun_at,
            reading=self._look(),
            left=self._pace.left if self.is_running else None,
        )

    def tell(self) -> None:
        """Notify subscribers of what has changed since the last time."""
        reading = self._look()
        self._pace.note(reading, time.monotonic())
        if self._is_told and reading == self._told:
            return
        signals.tell(signals.WorkProgress(self.repository_id, self.kind, not self._is_told))
        self._is_told, self._told = True, reading

    def end(self) -> None:
        """The end of a turn."""
        self.is_running = False
        if self._is_told:
            signals.tell(signals.WorkProgress(self.repository_id, self.kind, is_change=True))
        self._is_told = False


@dataclass
class _Memory:
    works: dict[tuple[int, WorkKind], Work] = field(default_factory=dict)


def _works() -> dict[tuple[int, WorkKind], Work]:
    return memory.of(_Memory).works


@contextlib.asynccontextmanager
async def under_way(
    repository_id: int, kind: WorkKind, look: Callable[[], Reading | None] | None = None
) -> AsyncIterator[Work]:
    """One turn of this work; it resumes where it stopped if it was kept.

    `look` tells how far it is; else it is counted by the work's own meter.
    """
    key = (repository_id, kind)
    work = _works().get(key)
    if work is None or work.is_running:
        work = Work(repository_id, kind, look)
    else:
        work.begin()
    _works()[key] = work
    telling = spawn(_tell(work), name=f"progress of {kind} {repository_id}")
    try:
        yield work
    finally:
        telling.cancel()
        work.end()
        if not work.is_kept and _works().get(key) is work:
            del _works()[key]


async def _tell(work: Work) -> None:
    while True:
        await asyncio.sleep(_TELL_EVERY)
        work.tell()


def of(repository_id: int) -> list[WorkInfo]:
    """What runs or pauses on this repository, as far as this process knows."""
    found = (_works().get((repository_id, kind)) for kind in WorkKind)
    return [work.info for work in found if work is not None]


def one(repository_id: int, kind: WorkKind) -> WorkInfo | None:
    """How far this work is; None where this process knows of none."""
    work = _works().get((repository_id, kind))
    return None if work is None else work.info


def running() -> list[WorkInfo]:
    """What runs now, on all repositories."""
    return [work.info for work in _works().values() if work.is_running]


def forget(repository_id: int, kind: WorkKind) -> None:
    """A work that paused is over, or will not go on."""
    work = _works().get((repository_id, kind))
    if work is not None and not work.is_running:
        del _works()[repository_id, kind]


def to_json(info: WorkInfo) -> dict[str, object]:
    """For another process."""
    reading = info.reading
    return {
        "repository": info.repository_id,
        "kind": info.kind,
        "begun_at": clock.rfc3339(info.begun_at),
        "done": None if reading is None else reading.done,
        "total": None if reading is None else reading.total,
        "unit": None if reading is None else reading.unit,
        "seconds_left": None if info.left is None else round(info.left.total_seconds()),
    }


def of_json(row: Mapping[str, Any]) -> WorkInfo:
    """What another process said; ValueError where it is no such thing."""
    try:
        unit, left = row["unit"], row["seconds_left"]
        total = row["total"]
        return WorkInfo(
            repository_id=int(row["repository"]),
            kind=WorkKind(row["kind"]),
            is_running=True,
            begun_at=datetime.fromisoformat(row["begun_at"]),
            reading=None
            if unit is None
            else Reading(int(row["done"]), None if total is None else int(total), Unit(unit)),
            left=None if left is None else timedelta(seconds=left),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no progress: {row!r}") from error
