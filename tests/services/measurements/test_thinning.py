from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hive.services.measurements.thinning import KEEP_ALL, KEEP_DAILY, superfluous

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AGES = st.lists(st.integers(0, 1_200 * 86_400), max_size=200)
Measured = dict[int, datetime]


def measured(ages: list[int]) -> Measured:
    return {number: NOW - timedelta(seconds=age) for number, age in enumerate(ages)}


def kept(rows: Measured, now: datetime = NOW) -> Measured:
    gone = superfluous(rows.items(), now)
    return {key: at for key, at in rows.items() if key not in gone}


def test_three_years_of_hours_become_some_hundred() -> None:
    rows = measured([hour * 3_600 for hour in range(3 * 365 * 24)])
    left = kept(rows)
    recent = [at for at in left.values() if NOW - at <= KEEP_ALL]
    assert len(recent) == 31 * 24 + 1
    assert 31 * 24 + 335 + 104 <= len(left) <= 31 * 24 + 340 + 108


@given(AGES)
def test_nothing_of_the_last_month_goes(ages: list[int]) -> None:
    rows = measured(ages)
    gone = superfluous(rows.items(), NOW)
    assert all(NOW - rows[key] > KEEP_ALL for key in gone)


@given(AGES)
def test_every_day_and_every_week_keeps_its_last_one(ages: list[int]) -> None:
    rows = measured(ages)
    left = set(kept(rows).values())
    for at in rows.values():
        age = NOW - at
        if KEEP_ALL < age <= KEEP_DAILY:
            assert any(other.date() == at.date() and other >= at for other in left)
        week = at.isocalendar()[:2]
        assert any(other.isocalendar()[:2] == week and other >= at for other in left)


@given(AGES)
def test_doing_it_again_takes_no_more(ages: list[int]) -> None:
    left = kept(measured(ages))
    assert superfluous(left.items(), NOW) == set()


@given(AGES, st.lists(st.integers(1, 200), max_size=6))
def test_thinning_on_the_way_leaves_a_week_with_its_last_one(
    ages: list[int], days: list[int]
) -> None:
    rows, now = measured(ages), NOW
    for more in days:
        now += timedelta(days=more)
        rows = kept(rows, now)
    weeks = {at.isocalendar()[:2] for at in measured(ages).values()}
    assert {at.isocalendar()[:2] for at in rows.values()} == weeks
