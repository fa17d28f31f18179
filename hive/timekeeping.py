"""Whether the clock can be trusted: it is compared with the one that nobody can set. Pure.

A clock that jumped is doubted until it has run on from the new time without another jump, or is
back where it should be. Between two boots only a clock that went back is sure to be wrong; one
that is far ahead may only have been switched off, which a synchronised kernel settles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

TOLERANCE = timedelta(seconds=60)  # by which a clock may be corrected between two looks
CONFIRMED_AFTER = 600.0  # seconds, where the kernel says that the clock is synchronised
ACCEPTED_AFTER = 3600.0  # seconds, where it does not
LONGEST_RESTART = timedelta(hours=1)  # without a synchronised clock, a longer downtime is a jump
EARLIEST_YEAR = 2026  # before this software was made


@dataclass(frozen=True)
class ClockReading:
    """Both clocks at one moment: the time, and the seconds since this boot of the machine."""

    wall: datetime
    elapsed: float
    boot: str

    def later(self, other: ClockReading) -> datetime:
        """What the time should be at `other`, going by this reading."""
        if self.boot == other.boot:
            return self.wall + timedelta(seconds=other.elapsed - self.elapsed)
        return self.wall + timedelta(seconds=other.elapsed)  # at the earliest


@dataclass(frozen=True)
class Doubt:
    """A clock that jumped: `confirmed` is the last reading before, `since` the first after it."""

    confirmed: ClockReading
    since: ClockReading

    @property
    def jump(self) -> timedelta:
        """By how much the clock is ahead of what it should be, or behind."""
        return self.since.wall - self.confirmed.later(self.since)


@dataclass(frozen=True)
class Timekeeping:
    """What is known of the clock; `doubt` is None where it can be trusted."""

    last: ClockReading
    doubt: Doubt | None = None

    def estimate(self, reading: ClockReading) -> datetime:
        """What time it is at this reading, if the clock did not jump."""
        return reading.wall if self.doubt is None else self.doubt.confirmed.later(reading)


def after(
    known: Timekeeping | None, reading: ClockReading, *, is_synchronised: bool | None
) -> Timekeeping:
    """What is known after one more reading; `is_synchronised` is what the kernel says."""
    if known is None:
        is_plausible = reading.wall.year >= EARLIEST_YEAR
        return Timekeeping(reading, None if is_plausible else Doubt(reading, reading))
    jumped = abs(_jump(known.last, reading, is_synchronised)) > TOLERANCE
    if known.doubt is None:
        return Timekeeping(reading, Doubt(known.last, reading) if jumped else None)
    if reading.wall.year < EARLIEST_YEAR:
        return Timekeeping(reading, known.doubt)
    doubt = known.doubt
    is_same_boot = doubt.confirmed.boot == reading.boot
    if is_same_boot and abs(reading.wall - doubt.confirmed.later(reading)) <= TOLERANCE:
        return Timekeeping(reading)  # it is back where it should be
    if jumped or doubt.since.boot != reading.boot:
        doubt = replace(doubt, since=reading)
    needed = CONFIRMED_AFTER if is_synchronised else ACCEPTED_AFTER
    is_confirmed = reading.elapsed - doubt.since.elapsed >= needed
    return Timekeeping(reading, None if is_confirmed else doubt)


def _jump(former: ClockReading, reading: ClockReading, is_synchronised: bool | None) -> timedelta:
    ahead = reading.wall - former.later(reading)
    if former.boot == reading.boot or ahead < timedelta(0):
        return ahead
    is_downtime = is_synchronised or ahead <= LONGEST_RESTART
    return timedelta(0) if is_downtime else ahead


def to_json(doubt: Doubt | None) -> list[Any] | None:
    """A doubt as it is stored."""
    if doubt is None:
        return None
    both = (doubt.confirmed, doubt.since)
    return [[one.wall.isoformat(), one.elapsed, one.boot] for one in both]


def from_json(stored: list[Any] | None) -> Doubt | None:
    """The doubt that was stored."""
    if not stored:
        return None
    confirmed, since = (
        ClockReading(datetime.fromisoformat(wall), float(elapsed), str(boot))
        for wall, elapsed, boot in stored
    )
    return Doubt(confirmed, since)
