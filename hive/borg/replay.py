"""Replaying borg 1's log: which objects there were after each transaction, and what became of them.

There can be a hundred million objects, so they are kept in a temporary database of SQLite, which
holds 64 MB in memory and the rest in a file that nobody else sees.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from types import TracebackType

from hive.borg.ledger import MANIFEST
from hive.borg.segments import Entry, Tag

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE object (key BLOB PRIMARY KEY, size INT, born INT, died INT) WITHOUT ROWID;
CREATE TABLE death (born INT, died INT, objects INT, bytes INT, PRIMARY KEY (born, died))
    WITHOUT ROWID;
CREATE TABLE state (ordinal INTEGER PRIMARY KEY, number INT UNIQUE, written_at REAL, objects INT,
    has_manifest INT, added INT, added_bytes INT, deleted INT, deleted_bytes INT, overwritten INT,
    overwritten_bytes INT);
"""
_FIND = "SELECT size, born, died FROM object WHERE key = ?"
_KEEP = "INSERT OR REPLACE INTO object VALUES (?, ?, ?, NULL)"
_BURY = "UPDATE object SET died = ? WHERE key = ?"
_COUNT_DEATH = (
    "INSERT INTO death VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET objects = objects + 1,"
    " bytes = bytes + excluded.bytes"
)


@dataclass(frozen=True)
class Amount:
    objects: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class StateRow:
    """The repository after a transaction; the manifest is not counted as added or deleted."""

    ordinal: int
    number: int  # of the segment with its COMMIT
    written_at: float
    objects: int
    has_manifest: bool
    added: int
    added_bytes: int
    deleted: int
    deleted_bytes: int
    overwritten: int
    overwritten_bytes: int


@dataclass
class _Counts:
    added: int = 0
    added_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    overwritten: int = 0
    overwritten_bytes: int = 0


class Replay:
    """Takes the segments in their order, each between `begin` and `end`."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        self.count = 0  # of states
        self.last_shared = self.last_odd = -1
        self._objects = 0
        self._has_manifest = False
        self._counts = _Counts()
        self._puts_manifest = self._is_odd = False
        self._number, self._written_at = -1, 0.0
        self._last_tag: Tag | None = None
        self._is_shared = False

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def begin(self, number: int, written_at: float) -> None:
        self._number, self._written_at = number, written_at
        self._last_tag, self._is_shared = None, False

    def take(self, entry: Entry) -> None:
        self._last_tag = entry.tag
        if entry.tag is Tag.COMMIT:
            return
        self._is_shared = True
        found = self._database.execute(_FIND, (entry.key,)).fetchone()
        if entry.tag is Tag.PUT:
            self._put(entry, found)
        else:
            self._delete(entry.key, found)

    def mark_odd(self) -> None:
        """The segment cannot be read to its end, or holds what no client of borg writes."""
        self._is_odd, self._last_tag = True, None

    def end(self) -> None:
        """The segment is over; where it ends with a COMMIT, so is a transaction."""
        if self._last_tag is not Tag.COMMIT:
            return
        counts = self._counts
        values = (
            *(self.count, self._number, self._written_at, self._objects, self._has_manifest),
            *(counts.added, counts.added_bytes, counts.deleted, counts.deleted_bytes),
            *(counts.overwritten, counts.overwritten_bytes),
        )
        marks = ", ".join("?" * len(values))
        self._database.execute(f"INSERT INTO state VALUES ({marks})", values)  # noqa: S608 - marks
        if self._is_shared:
            self.last_shared = self._number
        if self._is_odd or not self._puts_manifest:
            self.last_odd = self._number
        self.count += 1
        self._counts = _Counts()
        self._puts_manifest = self._is_odd = False

    def _put(self, entry: Entry, found: tuple[int, int, int | None] | None) -> None:
        key, size = entry.key, entry.size
        if found is not None and found[2] is None:
            self._die(key, found)  # a compaction that was killed may leave it twice
        if found is not None and found[2] in (None, self.count):
            self._overwrite(key, found)
        elif key != MANIFEST:
            self._counts.added += 1
            self._counts.added_bytes += size
        self._database.execute(_KEEP, (key, size, self.count))
        self._objects += 1
        if key == MANIFEST:
            self._has_manifest = self._puts_manifest = True

    def _overwrite(self, key: bytes, found: tuple[int, int, int | None]) -> None:
        """What was deleted in this transaction was only to be put again."""
        size, born, _ = found
        if born < self.count and key != MANIFEST:
            self._counts.deleted -= 1
            self._counts.deleted_bytes -= size
            self._counts.overwritten += 1
            self._counts.overwritten_bytes += size

    def _delete(self, key: bytes, found: tuple[int, int, int | None] | None) -> None:
        if found is None or found[2] is not None:
            self._is_odd = True
            return
        self._die(key, found)
        self._database.execute(_BURY, (self.count, key))
        if key == MANIFEST:
            self._has_manifest = False

    def _die(self, key: bytes, found: tuple[int, int, int | None]) -> None:
        size, born, _ = found
        self._objects -= 1
        if key == MANIFEST or born == self.count:
            return  # what came and went in one transaction was never there
        self._counts.deleted += 1
        self._counts.deleted_bytes += size
        self._database.execute(_COUNT_DEATH, (born, self.count, size))

    # what came of it

    def states(self, most: int, *, wanted: int | None = None) -> list[StateRow]:
        """The newest states, the oldest of them first; and before them the one of `wanted`."""
        query = "SELECT * FROM state WHERE ordinal >= ? OR number = ? ORDER BY ordinal"
        rows = self._database.execute(query, (self.count - most, wanted))
        return [replace(StateRow(*row), has_manifest=bool(row[4])) for row in rows]

    def changes(self, rows: list[StateRow]) -> list[tuple[Amount, Amount]]:
        """For each of these states, what going back to it brings back, and what it takes away."""
        ordinals = [row.ordinal for row in rows]
        deaths = self._database.execute("SELECT born, died, objects, bytes FROM death")
        back = _sums(ordinals, deaths)
        # what lives now is taken away by going to a state that is older than it
        living = self._database.execute(
            "SELECT -1, born, count(*), sum(size) FROM object WHERE died IS NULL AND key != ?"
            " GROUP BY born",
            (MANIFEST,),
        )
        return list(zip(back, _sums(ordinals, living), strict=True))


def _sums(ordinals: list[int], rows: Iterable[tuple[int, int, int, int]]) -> list[Amount]:
    """For each ordinal the sum of the amounts that hold from `first` on and before `end`."""
    objects, sizes = [0] * (len(ordinals) + 1), [0] * (len(ordinals) + 1)
    for first, end, count, size in rows:
        for place, sign in ((bisect_left(ordinals, first), 1), (bisect_left(ordinals, end), -1)):
            objects[place] += sign * count
            sizes[place] += sign * size
    return [
        Amount(*both) for both in zip(accumulate(objects[:-1]), accumulate(sizes[:-1]), strict=True)
    ]
