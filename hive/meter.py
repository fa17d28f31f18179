"""How far something is that takes long: counted where it happens, in a thread too. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What is counted."""

    SEGMENTS = "segments"  # of borg 1
    PACKS = "packs"  # of borg 2
    FILES = "files"
    BYTES = "bytes"


@dataclass(frozen=True)
class Reading:
    """What a meter shows. `total` is None where nobody knows it."""

    done: int
    total: int | None
    unit: Unit

    @property
    def percent(self) -> int | None:
        """Rounded down, and 99 until it is over: what is counted last may not be all."""
        if not self.total:
            return None
        return min(99, 100 * self.done // self.total)


@dataclass
class Meter:
    """Counts; who counts and who looks may be different threads."""

    done: int = 0
    total: int | None = None
    unit: Unit | None = None  # None: nothing is known yet

    def begin(self, unit: Unit, total: int | None = None) -> None:
        """Count this from zero."""
        self.done, self.total, self.unit = 0, total, unit

    def advance(self, count: int = 1) -> None:
        self.done += count

    def reach(self, done: int, total: int, unit: Unit) -> None:
        """What was done before is not done again: it never goes back while `unit` stays."""
        if unit != self.unit:
            self.done = 0
        self.done, self.total, self.unit = min(max(self.done, done), total), total, unit

    def reset(self) -> None:
        """Know nothing, as at the beginning."""
        self.done, self.total, self.unit = 0, None, None

    def look(self) -> Reading | None:
        unit = self.unit
        return None if unit is None else Reading(self.done, self.total, unit)
