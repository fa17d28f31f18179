"""Whether the storage of each location is there, and belongs to this installation.

Every storage root carries a marker (hive/services/installation/marker.py). Where it is missing or
another one's,
or the root cannot be written, the location is away: nothing below its root is looked at, made or
removed until it is back. A look writes a file; it is done in a thread that may hang, and shared by
all who ask at the same time. Never await one inside a transaction.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hive import memory, patience
from hive.background import spawn
from hive.errors import StorageError
from hive.models import Location, Repository
from hive.sentences import join, say
from hive.services import runtime
from hive.services.installation import marker, presence
from hive.services.installation.marker import Marker
from hive.services.storage import adoption, paths

PATIENCE = 5.0  # seconds until a root does not answer
FRESH = 2.0  # seconds that a look holds for sessions

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # other rules say what happens on a full disk


class Absence(StrEnum):
    """What is wrong with a storage root."""

    MISSING = "missing"
    UNMARKED = "unmarked"
    FOREIGN = "foreign"
    MISPLACED = "misplaced"
    DAMAGED = "damaged"
    NOT_ADOPTED = "not adopted"
    UNWRITABLE = "unwritable"
    UNREADABLE = "unreadable"
    SILENT = "silent"


_REASONS = {
    Absence.MISSING: say("its directory is missing"),
    Absence.UNMARKED: say("its marker file is missing, so its file system is probably not mounted"),
    Absence.FOREIGN: say("its marker names another installation, which uses it"),
    Absence.MISPLACED: say("its marker names another location, whose storage is in its place"),
    Absence.DAMAGED: say("its marker file cannot be understood"),
    Absence.NOT_ADOPTED: say("the content of its repositories was not found there"),
    Absence.SILENT: say("it does not answer"),
}


@dataclass(frozen=True)
class Away:
    """Why a location is not available; `reason` is the end of a sentence and names no path."""

    kind: Absence
    name: str  # of the location
    reason: str

    @property
    def message(self) -> str:
        return say(
            "The storage of location %(name)s is not available: %(reason)s.",
            name=self.name,
            reason=self.reason,
        )

    @property
    def words(self) -> str:
        return join(self.message, self.remedy)

    @property
    def remedy(self) -> str:
        if self.kind == Absence.FOREIGN:
            return say(
                "Only if the other installation no longer runs: `hive location take-over "
                "%(name)s`.",
                name=self.name,
            )
        if self.kind == Absence.SILENT:
            return say("See whether its file server is running and can be reached.")
        if self.kind in (Absence.UNWRITABLE, Absence.UNREADABLE):
            return say("See why the file system cannot be used (`dmesg`), and who owns it.")
        return say(
            "Mount the file system that belongs there. If what is there now is right, run"
            " `hive location adopt %(name)s`.",
            name=self.name,
        )


@dataclass(frozen=True)
class _Known:
    begun: float  # of time.monotonic
    away: Away | None


@dataclass
class _Memory:
    known: dict[int, _Known] = field(default_factory=dict)
    looking: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    hanging: dict[Path, asyncio.Future[Marker | None]] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)


def listen(listener: Callable[[], None]) -> Callable[[], None]:
    """Have `listener` called when a location goes away or comes back; returns what ends that."""
    listeners = memory.of(_Memory).listeners
    listeners.append(listener)
    return lambda: listeners.remove(listener)


def forget(location_id: int) -> None:
    """Forget a location that was deleted."""
    memory.of(_Memory).known.pop(location_id, None)
    presence.forget(location_id)


def known(location_id: int) -> Away | None:
    """Why the location was not available when it was looked at last."""
    found = _current(location_id)
    return None if found is None else found.away


def _current(location_id: int) -> _Known | None:
    return memory.of(_Memory).known.get(location_id)


def _mine() -> str:
    return str(runtime.installation().uid)


async def recall() -> None:
    """Take for away what the server found so, without a look; for commands."""
    for row in await Location.filter(away_since__not_isnull=True):
        away = Away(Absence.UNREADABLE, row.name, "the server found it so")
        presence.note(row.id, paths.root_of(row), away.message)


async def look(location: Location, *, max_age: float = FRESH) -> Away | None:
    """Why the location is not available; by a look that began no more than `max_age` seconds ago.

    Of one that does not answer, no other look is begun as long as the last one hangs.
    """
    wanted = time.monotonic() - max_age
    while True:
        found = _current(location.id)
        if found is not None and (found.begun >= wanted or _hangs(location, found)):
            return found.away
        looking = memory.of(_Memory).looking
        task = looking.get(location.id)
        if task is None or task.done():
            task = spawn(_look(location.id), name="look at storage")
            looking[location.id] = task
        await asyncio.wait({task})
        task.result()


async def is_there(repository_id: int, *, max_age: float = FRESH) -> bool:
    """Whether the storage of this repository is available."""
    row = await Repository.get_or_none(id=repository_id).select_related("location")
    return row is not None and await look(row.location, max_age=max_age) is None


async def require(location: Location, *, max_age: float = FRESH) -> None:
    """Raise StorageError where the location is not available."""
    away = await look(location, max_age=max_age)
    if away is not None:
        raise StorageError(away.words)


async def require_for(repository_id: int) -> None:
    """Raise StorageError where the storage of this repository is not available."""
    row = await Repository.get_or_none(id=repository_id).select_related("location")
    if row is not None:
        await require(row.location)


async def look_at_all(*, max_age: float = FRESH) -> dict[int, Away]:
    """Why locations are not available, by their ids; nothing of those that are."""
    rows = await Location.all()
    found = await asyncio.gather(*(look(row, max_age=max_age) for row in rows))
    return {row.id: away for row, away in zip(rows, found, strict=True) if away is not None}


async def away_ids() -> set[int]:
    """The locations that are not available, for who goes through many repositories."""
    return set(await look_at_all())


def _hangs(location: Location, found: _Known) -> bool:
    future = memory.of(_Memory).hanging.get(paths.root_of(location))
    is_silent = found.away is not None and found.away.kind == Absence.SILENT
    return is_silent and future is not None and not future.done()


async def _look(location_id: int) -> None:
    begun = time.monotonic()
    row = await Location.get_or_none(id=location_id)
    if row is None:
        forget(location_id)
        memory.of(_Memory).known[location_id] = _Known(begun, None)
        return
    away = await _find(row)
    former = _current(row.id)
    memory.of(_Memory).known[row.id] = _Known(begun, away)
    presence.note(row.id, paths.root_of(row), None if away is None else away.message)
    if former is None or former.away != away:
        for listener in tuple(memory.of(_Memory).listeners):
            listener()


async def _find(row: Location) -> Away | None:
    try:
        seen = await _ask(paths.root_of(row), str(row.uid))
        if row.marked_at is None and seen is None:
            return await _adopt_if_proven(row)
        if row.marked_at is None:
            await runtime.note_marked(row.id)
    except TimeoutError:
        return _away(row, Absence.SILENT)
    except _Wrong as wrong:
        if row.marked_at is None and wrong.kind in (Absence.MISPLACED, Absence.MISSING):
            return await _adopt_if_proven(row)
        return _away(row, wrong.kind, wrong.reason)
    return None if seen is not None else _away(row, Absence.UNMARKED)


def _away(row: Location, kind: Absence, reason: str | None = None) -> Away:
    return Away(kind, row.name, reason or _REASONS[kind])


async def _adopt_if_proven(row: Location) -> Away | None:
    """Mark the root of a former version's location where its content proves it to be right."""
    root = paths.root_of(row)
    try:
        doubt = await adoption.doubt(row, root, seconds=PATIENCE)
        if doubt is not None:
            return _away(row, Absence.NOT_ADOPTED, doubt)
        if row.root is None:
            await patience.within(PATIENCE, runtime.prepare_root, root)
        await patience.within(PATIENCE, put_marker, root, str(row.uid))
    except TimeoutError:
        return _away(row, Absence.SILENT)
    except OSError as error:
        return _away(row, Absence.UNWRITABLE, _unwritable(error))
    except marker.Damaged:
        return _away(row, Absence.DAMAGED)
    await runtime.note_marked(row.id)
    return None


def put_marker(root: Path, uid: str, *, is_taken_over: bool = False) -> None:
    """Write that this root is this installation's, and the location's. Blocking."""
    mine = _mine()
    try:
        former = marker.read(root)
    except marker.Damaged:
        former = None
    if former is not None and former.installation != mine and not is_taken_over:
        raise OSError(errno.EEXIST, "it is used by another installation")
    marker.write(root, marker.with_location(former, mine, uid))


class _Wrong(Exception):
    """What is wrong with a root, found by looking at it."""

    def __init__(self, kind: Absence, reason: str | None = None) -> None:
        super().__init__(kind)
        self.kind, self.reason = kind, reason


async def _ask(root: Path, uid: str) -> Marker | None:
    """The marker of a root that can be used; None where there is none."""
    hanging = memory.of(_Memory).hanging
    future = hanging.get(root)
    if future is None or future.done():
        future = patience.begin(_see, root, uid)
    done, _ = await asyncio.wait({future}, timeout=PATIENCE)
    if not done:
        hanging[root] = future
        raise TimeoutError
    hanging.pop(root, None)
    return future.result()


def _see(root: Path, uid: str) -> Marker | None:
    """Blocking, perhaps forever."""
    try:
        found = marker.read(root)
    except marker.Damaged:
        raise _Wrong(Absence.DAMAGED) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _Wrong(Absence.MISSING) from None
    except OSError as error:
        raise _Wrong(
            Absence.UNREADABLE, say("it cannot be read (%(problem)s)", problem=error.strerror)
        ) from None
    if found is None:
        return None
    mine, former = _mine(), runtime.installation().former_uid
    if found.installation != mine and found.installation == former and _came_along(root):
        found = Marker(mine, found.locations, found.written_at)
        marker.write(root, found)
    if found.installation != mine:
        raise _Wrong(Absence.FOREIGN)
    if uid not in found.locations:
        raise _Wrong(Absence.MISPLACED)
    try:
        marker.try_writing(root)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise _Wrong(Absence.UNWRITABLE, _unwritable(error)) from None
    return found


def _unwritable(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return say("it is read-only")
    return say("it cannot be written (%(problem)s)", problem=error.strerror)


def _came_along(root: Path) -> bool:
    """Whether the root lies in the data directory, so that it was copied with it."""
    data, real = runtime.paths().data_dir.resolve(), root.resolve()
    return data in real.parents and os.stat(real).st_dev == os.stat(data).st_dev  # noqa: PTH116
