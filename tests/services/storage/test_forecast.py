from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hive.services.storage.forecast import Point, full_on, growth_per_week

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GB = 10**9


def daily(sizes: list[int]) -> list[Point]:
    """One point a day, the last one now."""
    first = NOW - timedelta(days=len(sizes) - 1)
    return [Point(first + timedelta(days=day), size) for day, size in enumerate(sizes)]


def test_steady_growth_is_found() -> None:
    assert growth_per_week(daily([day * GB for day in range(30)]), NOW) == 7 * GB


def test_a_first_upload_does_not_look_like_growth() -> None:
    sizes = [0, 500 * GB, *(500 * GB + day * GB for day in range(40))]
    found = growth_per_week(daily(sizes), NOW)
    assert found is not None
    assert 6.5 * GB < found < 9 * GB


def test_compacting_every_week_does_not_hide_growth() -> None:
    sizes = [100 * GB + day * GB + (day % 7) * 3 * GB for day in range(56)]
    found = growth_per_week(daily(sizes), NOW)
    assert found is not None
    assert 6 * GB < found < 9 * GB


def test_only_the_last_measurement_of_a_day_counts() -> None:
    points = daily([day * GB for day in range(20)])
    during = [Point(point.at - timedelta(hours=5), 900 * GB) for point in points]
    assert growth_per_week([*points, *during], NOW) == 7 * GB


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_too_little_says_nothing(count: int) -> None:
    assert growth_per_week(daily([day * GB for day in range(count)]), NOW) is None


def test_what_is_older_than_the_window_does_not_count() -> None:
    old = [Point(NOW - timedelta(days=100 + day), GB) for day in range(30)]
    assert growth_per_week(old, NOW) is None


# Many lists say too little to have a growth.
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.integers(-GB, GB),
    st.integers(0, 10**13),
    st.lists(st.tuples(st.integers(0, 56 * 86_400), st.booleans()), min_size=8, max_size=60),
)
def test_the_slope_of_a_line_is_its_slope(
    per_day: int, base: int, moments: list[tuple[int, bool]]
) -> None:
    points = [
        Point(NOW - timedelta(seconds=ago), round(base - per_day * ago / 86_400))
        for ago, _ in moments
    ]
    found = growth_per_week(points, NOW)
    assume(found is not None)
    assert found is not None
    # sizes are whole bytes, and moments can be a second apart
    assert abs(found - 7 * per_day) <= 2 * 7 * 86_400


@given(st.lists(st.integers(0, 10**15), min_size=8, max_size=56), st.integers(-(10**12), 10**12))
def test_what_is_added_to_every_size_changes_no_rate(sizes: list[int], more: int) -> None:
    moved = growth_per_week(daily([size + more for size in sizes]), NOW)
    assert moved == growth_per_week(daily(sizes), NOW)


def test_the_day_is_that_of_the_rate() -> None:
    assert full_on(100, 200, 100, NOW) == date(2026, 11, 30)
    assert full_on(200, 200, None, NOW) == NOW.date()


@given(st.integers(0, 10**18), st.integers(1, 10**18), st.integers(-(10**15), 10**15))
def test_a_day_is_told_where_it_grows_and_is_not_in_the_past(
    used: int, limit: int, rate: int
) -> None:
    found = full_on(used, limit, rate, NOW)
    if used >= limit:
        assert found == NOW.date()
    elif rate <= 0:
        assert found is None
    elif found is not None:
        assert found >= NOW.date()
        sooner = full_on(used, limit, rate * 2, NOW)
        assert sooner is not None
        assert sooner <= found
