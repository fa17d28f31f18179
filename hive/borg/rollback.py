"""Which earlier states of a borg 1 repository can be restored, by its segments alone.

borg appends: the state after transaction T is what all segments up to T say, read in order, and
going back to T means taking the newer segments away. That holds until a compaction frees what
later transactions have deleted, which leaves nothing but missing numbers. So T can be restored if

1. no number up to T is missing: everything that was ever written is there; or else
2. nothing was compacted after T: no number behind T is missing (a compaction removes its own
   first commit), no commit behind T shares its segment with objects (only a compaction commits so),
   and the manifest of T, which every later transaction supersedes, is there.

Where a transaction behind T is not what a client of borg writes (no manifest, a deletion of what is
not there), a compaction with a high threshold looks the same: then 2. takes a count of T's objects
that was made when T was the newest state. A count that differs is an obstacle in every case.

A client that wrote behind T could write anything there, but nothing below: so nothing behind T
can make T look better than it is, and of what makes it look worse, an append-only key can bring
about none where there is a count.

Before anything is changed, every checksum up to T is tested: borg itself reads all of it next.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from hive.borg.replay import Amount, Replay, StateRow
from hive.borg.segments import Log, SegmentError
from hive.meter import Reading, Unit
from hive.sentences import say

MOST_STATES = 500  # that are shown, the newest


class Obstacle(StrEnum):
    """Why a state cannot be restored."""

    COMPACTED = "compacted since"
    DAMAGED = "damaged"
    NO_MANIFEST = "no list of archives"
    UNPROVEN = "not proven"
    MISCOUNTED = "objects missing"


class Stopped(Exception):
    """Somebody wanted the reading to stop."""


@dataclass(frozen=True)
class State:
    """The repository after a transaction, and what that transaction did. Manifests do not count.

    `back` is what restoring the state brings back, `dropped` what it takes away: together, what
    became of the repository since.
    """

    transaction: int
    at: datetime
    objects: int
    added: Amount
    deleted: Amount
    overwritten: Amount
    back: Amount
    dropped: Amount
    obstacle: Obstacle | None = None
    detail: str = ""

    @property
    def can_be_restored(self) -> bool:
        return self.obstacle is None


@dataclass(frozen=True)
class Survey:
    """The states of a repository, the oldest first; the last is the present one."""

    states: tuple[State, ...]
    is_cut: bool = False  # there are more than are shown

    @property
    def current(self) -> State | None:
        return self.states[-1] if self.states else None

    def state(self, transaction: int) -> State | None:
        return next((one for one in self.states if one.transaction == transaction), None)


@dataclass
class ReadingProgress:
    """How far a reading is, and whether it is to stop; shared between threads."""

    done_bytes: int = 0
    total_bytes: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def advance(self, size: int) -> None:
        self.done_bytes += size
        if self.stop.is_set():
            raise Stopped

    def cancel(self) -> None:
        self.stop.set()

    def look(self) -> Reading | None:
        """How far it is; None before that is known."""
        total = self.total_bytes
        return Reading(min(self.done_bytes, total), total, Unit.BYTES) if total else None

    @property
    def percent(self) -> int:
        reading = self.look()
        return (reading.percent or 0) if reading is not None else 0


@dataclass(frozen=True)
class RollbackEvidence:
    """What the segments up to the last commit tell besides their entries."""

    first_missing: int | None
    last_missing: int | None
    last_shared: int  # the last commit in one segment with objects; -1: none
    last_odd: int  # the last transaction that no client of borg writes; -1: none
    first_damaged: int | None
    damage: str = ""


def survey(
    repository: Path,
    *,
    recorded: Mapping[int, int] | None = None,
    verify_until: int | None = None,
    reading: ReadingProgress | None = None,
) -> Survey:
    """Read the whole log; SegmentError or OSError where it cannot be read at all. Blocking.

    `recorded` are counts of objects by transaction. The checksums of all segments up to
    `verify_until` are tested, and that state is shown however old it is.
    """
    reading = reading or ReadingProgress()
    reading.done_bytes = 0
    with Log(repository) as log, Replay() as replay:
        last = log.last_commit()
        if last is None:
            return Survey(())
        numbers = [one.number for one in log.segments if one.number <= last]
        reading.total_bytes = sum(one.size for one in log.segments if one.number <= last)
        damaged = _read(log, replay, last, verify_until, reading)
        missing = _missing(numbers)
        evidence = RollbackEvidence(*missing, replay.last_shared, replay.last_odd, *damaged)
        rows = replay.states(MOST_STATES, wanted=verify_until)
        changes = replay.changes(rows)
        states = tuple(
            _state(row, change, evidence, recorded or {})
            for row, change in zip(rows, changes, strict=True)
        )
        return Survey(states, is_cut=replay.count > len(rows))


def _read(
    log: Log, replay: Replay, last: int, verify_until: int | None, reading: ReadingProgress
) -> tuple[int | None, str]:
    """Replay what was committed; the first damaged segment and what is wrong with it."""
    first: int | None = None
    words = ""
    for segment in log.segments:
        if segment.number > last:
            break
        verify = verify_until is not None and segment.number <= verify_until
        replay.begin(segment.number, segment.written_at)
        read = 0
        try:
            for entry in log.entries(segment.number, verify=verify):
                replay.take(entry)
                reading.advance(entry.size)
                read += entry.size
        except SegmentError as error:
            replay.mark_odd()
            if first is None:
                first, words = segment.number, str(error)
        replay.end()
        reading.advance(segment.size - read)
    return first, words


def _missing(numbers: list[int]) -> tuple[int | None, int | None]:
    """The first and the last number that is missing before the last one there is."""
    if not numbers or len(numbers) == numbers[-1] + 1:
        return None, None
    first = next(index for index, number in enumerate(numbers) if index != number)
    last = next(
        numbers[index] - 1
        for index in range(len(numbers) - 1, -1, -1)
        if index == 0 or numbers[index - 1] != numbers[index] - 1
    )
    return first, last


def _state(
    row: StateRow,
    change: tuple[Amount, Amount],
    evidence: RollbackEvidence,
    recorded: Mapping[int, int],
) -> State:
    obstacle, detail = _obstacle(row, evidence, recorded.get(row.number))
    back, dropped = change
    return State(
        transaction=row.number,
        at=_time(row.written_at),
        objects=row.objects,
        added=Amount(row.added, row.added_bytes),
        deleted=Amount(row.deleted, row.deleted_bytes),
        overwritten=Amount(row.overwritten, row.overwritten_bytes),
        back=back,
        dropped=dropped,
        obstacle=obstacle,
        detail=detail,
    )


def _time(seconds: float) -> datetime:
    """An import brings its own times, and any number can be one."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _obstacle(
    row: StateRow, evidence: RollbackEvidence, recorded: int | None
) -> tuple[Obstacle | None, str]:
    """See the top of this file."""
    number = row.number
    if evidence.first_damaged is not None and evidence.first_damaged <= number:
        return Obstacle.DAMAGED, evidence.damage
    is_whole = evidence.first_missing is None or evidence.first_missing > number
    if not is_whole and (trace := _trace_of_compaction(row, evidence)):
        return Obstacle.COMPACTED, trace
    if not row.has_manifest:
        return Obstacle.NO_MANIFEST, ""
    is_odd = evidence.last_odd > number and not is_whole
    if recorded is not None and (row.objects < recorded or (is_odd and row.objects > recorded)):
        return Obstacle.MISCOUNTED, say(
            "%(objects)s of %(recorded)s objects are there", objects=row.objects, recorded=recorded
        )
    if is_odd and recorded is None:
        return Obstacle.UNPROVEN, say(
            "transaction %(number)s was not written by a borg client", number=evidence.last_odd
        )
    return None, ""


def _trace_of_compaction(row: StateRow, evidence: RollbackEvidence) -> str | None:
    """What shows that something was compacted after this transaction."""
    last_missing = evidence.last_missing or -1
    if last_missing > row.number:
        return say("segment %(number)s is missing", number=last_missing)
    if evidence.last_shared >= row.number:
        return say("segment %(number)s was written by a compaction", number=evidence.last_shared)
    return None if row.has_manifest else say("the list of archives is missing")
