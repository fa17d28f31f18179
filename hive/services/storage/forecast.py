"""How a repository grows, and when the room will be used up at that rate. Pure.

The rate is the median of the slopes between every two days (Theil and Sen) of the last eight
weeks: one first upload, one prune or one compaction moves a regression's line for weeks, and the
median of slopes only when more than a quarter of the days are out of line.
It is taken from the size on the disk, reclaimable data included, for that is what fills it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from statistics import median

WINDOW = timedelta(weeks=8)
_MIN_DAYS = 4  # days with a measurement; below, one day out of line decides
_MIN_SPAN = timedelta(days=7)
_HORIZON = timedelta(days=100 * 365)


@dataclass(frozen=True)
class Point:
    at: datetime
    size_bytes: int


def growth_per_week(points: Sequence[Point], now: datetime) -> int | None:
    """Bytes a week, negative where it shrinks; None where there is too little to tell."""
    days = _last_of_each_day(points, now)
    if len(days) < _MIN_DAYS or days[-1].at - days[0].at < _MIN_SPAN:
        return None
    slopes = [
        (later.size_bytes - earlier.size_bytes) / (later.at - earlier.at).total_seconds()
        for earlier, later in combinations(days, 2)
    ]
    return round(median(slopes) * timedelta(weeks=1).total_seconds())


def _last_of_each_day(points: Sequence[Point], now: datetime) -> list[Point]:
    recent = [point for point in points if now - WINDOW <= point.at <= now]
    by_day = {point.at.date(): point for point in sorted(recent, key=lambda point: point.at)}
    return list(by_day.values())


def full_on(
    used_bytes: int, limit_bytes: int, bytes_per_week: int | None, now: datetime
) -> date | None:
    """The day on which the limit is reached; None where nothing grows, or not in a lifetime."""
    if used_bytes >= limit_bytes:
        return now.date()
    if bytes_per_week is None or bytes_per_week <= 0:
        return None
    weeks = (limit_bytes - used_bytes) / bytes_per_week
    if weeks > _HORIZON / timedelta(weeks=1):
        return None
    return (now + timedelta(weeks=weeks)).date()
