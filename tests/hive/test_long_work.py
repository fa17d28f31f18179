"""Long work: what is told of it, how long it still takes, and what is left when it is over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hive import long_work, signals, work_words
from hive.config.settings import Settings
from hive.long_work import Pace, WorkInfo, WorkKind
from hive.meter import Meter, Reading, Unit
from hive.signals import WorkProgress


def at(done: int, total: int | None = 1000) -> Reading:
    return Reading(done, total, Unit.SEGMENTS)


def test_what_is_left_follows_from_the_pace_so_far() -> None:
    pace = Pace(0.0)
    pace.note(at(100), 2.0)
    assert pace.left is None  # nothing has moved yet
    pace.note(at(200), 12.0)
    assert pace.left == timedelta(seconds=80)
    pace.note(at(900), 22.0)
    assert pace.left == timedelta(seconds=2.5)


def test_what_an_earlier_turn_has_done_is_no_pace() -> None:
    pace = Pace(0.0)
    pace.note(at(0), 0.1)
    pace.note(at(600), 1.5)  # skipped within a moment
    pace.note(at(610), 11.5)
    assert pace.left == timedelta(seconds=390)


@pytest.mark.parametrize(
    "readings",
    [
        [(2.0, at(0)), (4.0, at(500))],  # too short
        [(2.0, at(0)), (60.0, at(9))],  # less than a hundredth
        [(2.0, at(0, None)), (60.0, at(500, None))],  # nobody knows the whole
        [(2.0, at(0)), (60.0, at(500, 2000))],  # of something else
        [(2.0, at(500)), (60.0, at(10))],  # from the beginning once more
        [(2.0, None), (60.0, None)],
    ],
)
def test_where_too_little_is_known_nothing_is_said(
    readings: list[tuple[float, Reading | None]],
) -> None:
    pace = Pace(0.0)
    for now, reading in readings:
        pace.note(reading, now)
    assert pace.left is None


def test_a_percentage_is_never_full_before_the_end() -> None:
    assert at(999).percent == at(1000).percent == 99
    assert at(7).percent == 0
    assert at(7, None).percent is None
    assert at(0, 0).percent is None


def test_a_meter_never_goes_back_until_it_counts_something_else() -> None:
    meter = Meter()
    assert meter.look() is None
    meter.reach(5, 10, Unit.SEGMENTS)
    meter.reach(2, 10, Unit.SEGMENTS)
    assert meter.look() == Reading(5, 10, Unit.SEGMENTS)
    meter.reach(2, 4, Unit.PACKS)
    assert meter.look() == Reading(2, 4, Unit.PACKS)


@pytest.fixture
def told(hive: Settings, monkeypatch: pytest.MonkeyPatch) -> list[WorkProgress]:
    """What is told of works from now on; the time between is short."""
    monkeypatch.setattr(long_work, "_TELL_EVERY", 0.01)
    found: list[WorkProgress] = []

    def note(happening: signals.Happening) -> None:
        if isinstance(happening, WorkProgress):
            found.append(happening)

    signals.subscribe(note)
    return found


async def _until_told(told: list[WorkProgress], count: int) -> None:
    async with asyncio.timeout(10):
        while len(told) < count:
            await asyncio.sleep(0.005)


async def test_its_beginning_its_progress_and_its_end_are_told(told: list[WorkProgress]) -> None:
    async with long_work.under_way(7, WorkKind.CHECK) as work:
        await _until_told(told, 1)
        assert long_work.of(7)[0].reading is None
        work.meter.reach(1, 4, Unit.SEGMENTS)
        await _until_told(told, 2)
        (info,) = long_work.running()
        assert (info.repository_id, info.kind, info.percent) == (7, WorkKind.CHECK, 25)
    assert long_work.of(7) == []
    assert [one.is_change for one in told] == [True, False, True]


async def test_what_is_over_at_once_is_not_told(
    told: list[WorkProgress], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_work, "_TELL_EVERY", 60)
    async with long_work.under_way(7, WorkKind.MEASURE):
        assert long_work.one(7, WorkKind.MEASURE) is not None
    assert told == []


async def test_what_is_kept_goes_on_where_it_was(told: list[WorkProgress]) -> None:
    async with long_work.under_way(7, WorkKind.CHECK) as work:
        work.meter.reach(3, 4, Unit.SEGMENTS)
        work.keep()
    (info,) = long_work.of(7)
    assert (info.is_running, info.percent, info.left) == (False, 75, None)
    assert long_work.running() == []
    async with long_work.under_way(7, WorkKind.CHECK) as work:
        assert work.info.percent == 75
        work.meter.reach(1, 4, Unit.SEGMENTS)
        assert work.info.percent == 75
    assert long_work.of(7) == []


async def test_what_fails_is_forgotten(hive: Settings) -> None:
    with pytest.raises(ValueError, match="broken"):
        async with long_work.under_way(7, WorkKind.VERIFY):
            raise ValueError("broken")
    assert long_work.of(7) == []


@pytest.mark.parametrize(
    ("reading", "left", "said"),
    [
        (at(250), timedelta(minutes=42), "25 %, 250 of 1000 segments, about 42 minutes left"),
        (at(250), timedelta(seconds=9), "25 %, 250 of 1000 segments, less than a minute left"),
        (Reading(9, None, Unit.FILES), None, "9 files so far"),
        (Reading(5, 10, Unit.PACKS), None, "50 %, 5 of 10 packs"),
        (Reading(5_000, 20_000, Unit.BYTES), None, "25 %, 5.00 kB of 20.00 kB read"),
        (None, None, ""),
    ],
)
def test_it_is_said_in_words_and_passed_on(
    reading: Reading | None, left: timedelta | None, said: str
) -> None:
    info = WorkInfo(
        repository_id=7,
        kind=WorkKind.CHECK,
        is_running=True,
        begun_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        reading=reading,
        left=left,
    )
    assert work_words.in_words(info) == said
    assert long_work.of_json(long_work.to_json(info)) == info
    with pytest.raises(ValueError, match="no progress"):
        long_work.of_json({"repository": 7})
