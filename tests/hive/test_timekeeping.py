"""A clock is held against the one that nobody can set."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hive.timekeeping import ClockReading, Doubt, Timekeeping, after, from_json, to_json

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
FIRST = ClockReading(START, 1000.0, "this boot")
JUMPS = (
    timedelta(minutes=2),
    timedelta(hours=5),
    timedelta(days=40),
    timedelta(days=4000),
    -timedelta(minutes=2),
    -timedelta(days=40),
    timedelta(days=-300),
)


def moved(reading: ClockReading, seconds: float, jump: timedelta = timedelta(0)) -> ClockReading:
    """The reading so many seconds later, its clock set meanwhile."""
    wall = reading.wall + timedelta(seconds=seconds) + jump
    return replace(reading, wall=wall, elapsed=reading.elapsed + seconds)


def rebooted(reading: ClockReading, off: timedelta, seconds: float = 30.0) -> ClockReading:
    """So many seconds after a boot, which came `off` later by the clock."""
    return ClockReading(reading.wall + off + timedelta(seconds=seconds), seconds, "the next boot")


def run(known: Timekeeping, seconds: float, *, synchronised: bool) -> Timekeeping:
    """Look every minute for so long."""
    for _ in range(int(seconds // 60)):
        known = after(known, moved(known.last, 60), is_synchronised=synchronised)
    return known


@pytest.mark.parametrize("seconds", [0.1, 60, 86400, 40 * 86400])
def test_time_that_passes_on_both_clocks_is_no_jump(seconds: float) -> None:
    known = after(None, FIRST, is_synchronised=False)
    assert after(known, moved(FIRST, seconds), is_synchronised=False).doubt is None


@pytest.mark.parametrize("correction", [-30, -0.5, 0.5, 30])
def test_a_small_correction_is_no_jump(correction: float) -> None:
    known = Timekeeping(FIRST)
    seen = moved(FIRST, 60, timedelta(seconds=correction))
    assert after(known, seen, is_synchronised=False).doubt is None


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("synchronised", [True, False])
def test_a_jump_is_doubted_until_it_is_confirmed(jump: timedelta, synchronised: bool) -> None:
    seen = moved(FIRST, 5, jump)
    known = after(Timekeeping(FIRST), seen, is_synchronised=synchronised)
    if seen.wall.year < 2026:
        return
    assert known.doubt is not None
    assert known.doubt.jump == jump
    assert known.estimate(seen) == START + timedelta(seconds=5)
    needed = 600 if synchronised else 3600
    assert run(known, needed - 60, synchronised=synchronised).doubt is not None
    assert run(known, needed, synchronised=synchronised).doubt is None


def test_a_second_jump_starts_the_wait_again() -> None:
    known = after(Timekeeping(FIRST), moved(FIRST, 5, timedelta(days=40)), is_synchronised=True)
    known = run(known, 540, synchronised=True)
    known = after(known, moved(known.last, 5, timedelta(days=1)), is_synchronised=True)
    assert known.doubt is not None
    assert run(known, 540, synchronised=True).doubt is not None
    assert run(known, 600, synchronised=True).doubt is None


@pytest.mark.parametrize("jump", [timedelta(days=40), -timedelta(days=40)])
def test_a_clock_that_comes_back_is_trusted_at_once(jump: timedelta) -> None:
    known = after(Timekeeping(FIRST), moved(FIRST, 5, jump), is_synchronised=False)
    known = run(known, 1200, synchronised=False)
    known = after(known, moved(known.last, 5, -jump), is_synchronised=False)
    assert known.doubt is None


def test_a_clock_from_before_this_software_is_never_confirmed_by_itself() -> None:
    known = after(None, replace(FIRST, wall=START.replace(year=1970)), is_synchronised=False)
    assert known.doubt is not None
    assert run(known, 7200, synchronised=True).doubt is not None


def test_a_downtime_is_no_jump_where_the_kernel_is_synchronised() -> None:
    for off in (timedelta(minutes=5), timedelta(days=3), timedelta(days=400)):
        assert after(Timekeeping(FIRST), rebooted(FIRST, off), is_synchronised=True).doubt is None


def test_a_long_downtime_is_doubted_where_it_is_not() -> None:
    known = Timekeeping(FIRST)
    soon, late = timedelta(minutes=30), timedelta(days=3)
    assert after(known, rebooted(FIRST, soon), is_synchronised=False).doubt is None
    assert after(known, rebooted(FIRST, late), is_synchronised=None).doubt is not None


@pytest.mark.parametrize("synchronised", [True, False])
def test_a_boot_with_a_clock_that_went_back_is_doubted(synchronised: bool) -> None:
    seen = rebooted(FIRST, -timedelta(days=2))
    assert after(Timekeeping(FIRST), seen, is_synchronised=synchronised).doubt is not None


def test_a_server_that_starts_again_in_doubt_waits_anew_after_a_boot() -> None:
    known = after(Timekeeping(FIRST), moved(FIRST, 5, timedelta(days=9)), is_synchronised=False)
    known = after(known, rebooted(known.last, timedelta(0)), is_synchronised=True)
    assert known.doubt is not None
    assert run(known, 540, synchronised=True).doubt is not None
    assert run(known, 600, synchronised=True).doubt is None


def test_a_doubt_is_stored_as_it_is() -> None:
    doubt = Doubt(FIRST, moved(FIRST, 5, timedelta(days=9)))
    assert from_json(to_json(doubt)) == doubt
    assert from_json(to_json(None)) is None
