"""The chart of one repository's size: what is drawn, and what is left out because nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hive.services.measurements.trends import Backup, History, Measurement
from web import size_chart
from web.size_chart import Outlook

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GB = 1_000_000_000


def history(*sizes: int, days: int = 90) -> History:
    """Sizes in GB, the last one now, evenly over so many days; a backup with each."""
    step = timedelta(days=days) / max(1, len(sizes) - 1)
    times = [NOW - step * (len(sizes) - 1 - number) for number in range(len(sizes))]
    return History(
        [
            Measurement(at, size * GB, size * GB // 2, size * GB // 2)
            for at, size in zip(times, sizes, strict=True)
        ],
        [Backup(number, at, timedelta(minutes=3), GB) for number, at in enumerate(times)],
    )


def drawn(*sizes: int, days: int = 90, outlook: Outlook | None = None) -> size_chart.Chart:
    found = size_chart.chart(history(*sizes, days=days), NOW - timedelta(days=days), NOW, outlook)
    assert found is not None
    return found


def test_without_a_forecast_the_present_is_at_the_right_end() -> None:
    chart = drawn(1, 2, 3)
    assert (chart.now_x, chart.now_percent, chart.forecast) == (720.0, 100.0, "")
    assert chart.quota is None
    assert chart.end == NOW


def test_the_forecast_goes_on_from_the_last_size_as_fast_as_it_grows() -> None:
    chart = drawn(100, 150, outlook=Outlook(bytes_per_week=7 * GB))
    assert chart.now_x == 560.0
    days = (chart.end - NOW) / timedelta(days=1)
    assert round(days, 1) == round(90 * 160 / 560, 1)
    begin, end = (point.split(",") for point in chart.forecast.split())
    assert (begin[0], end[0]) == ("560", "720")
    per_gb = (float(begin[1]) - float(end[1])) / (days * 1)  # a GB a day
    assert round(per_gb * 150) == round(200 - float(begin[1]))


def test_what_shrinks_is_not_forecast_below_nothing() -> None:
    chart = drawn(2, 1, outlook=Outlook(bytes_per_week=-70 * GB))
    assert chart.forecast.endswith("720,200")


def test_a_day_has_no_forecast() -> None:
    assert drawn(1, 2, days=1, outlook=Outlook(bytes_per_week=GB)).forecast == ""


def test_the_quota_is_a_line_where_it_is_near_and_left_out_where_all_else_would_be_flat() -> None:
    near = drawn(1, 2, outlook=Outlook(quota_bytes=3 * GB))
    assert near.quota is not None
    assert 0 < near.quota.y < 40
    assert drawn(1, 2, outlook=Outlook(quota_bytes=300 * GB)).quota is None
    exceeded = drawn(1, 4, outlook=Outlook(quota_bytes=3 * GB))
    assert exceeded.quota is not None
    assert exceeded.quota.y > float(exceeded.line.split()[-1].split(",")[1])


def test_the_lines_across_are_round_and_few() -> None:
    for size in (1, 7, 13, 99, 140, 1410):
        chart = drawn(size, size)
        assert 2 <= len(chart.ticks) <= 5
        step = chart.ticks[0].size_bytes
        assert str(step).rstrip("0") in ("1", "2", "5")
        assert [tick.size_bytes % step for tick in chart.ticks] == [0] * len(chart.ticks)
        assert chart.ticks[-1].size_bytes <= size * GB * 1.08
    nothing = size_chart.chart(History([Measurement(NOW, 0, None, None)], []), None, NOW)
    assert nothing is not None
    assert len(nothing.ticks) == 1


def test_each_part_of_the_area_tells_the_size_that_held_there() -> None:
    chart = drawn(1, 2, 3, 4)
    assert [spot.size_bytes // GB for spot in chart.spots] == [1, 2, 3, 4]
    assert chart.spots[0].x == 0
    edges = [round(spot.x + spot.width) for spot in chart.spots]
    assert edges[:-1] == [round(spot.x) for spot in chart.spots[1:]]
    assert edges[-1] == 720
    many = drawn(*range(1, 500))
    assert len(many.spots) == 60
    assert len(many.line.split()) <= 240


def test_what_lies_before_the_chosen_time_is_not_drawn() -> None:
    found = size_chart.chart(history(1, 9, 2), NOW - timedelta(days=10), NOW)
    assert found is not None
    assert len(found.spots) == 1
    assert len(found.bars) == 1
    assert size_chart.chart(history(1), NOW + timedelta(days=1), NOW) is None
