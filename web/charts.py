"""Charts as numbers for SVG: templates draw them, so that pages need no script for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from hive.services.measurements.trends import WINDOW, Trend

SPARK_WIDTH, SPARK_HEIGHT = 160, 36
_SPARK_EDGE = 4  # room for dots


@dataclass(frozen=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True)
class Sparkline:
    line: str  # points of a polyline; empty where there is no measurement
    dots: tuple[Dot, ...]  # one a day with a backup
    backup_days: int


def sparkline(trend: Trend, now: datetime) -> Sparkline:
    """The sizes of 30 days, from the least to the most of them, and the days of backups."""
    begin = now - WINDOW
    sizes = [point.size_bytes for point in trend.sizes]
    low, high = min(sizes, default=0), max(sizes, default=0)
    right, bottom = SPARK_WIDTH - _SPARK_EDGE, SPARK_HEIGHT - _SPARK_EDGE

    def x(at: datetime) -> float:
        return round(_SPARK_EDGE + (right - _SPARK_EDGE) * ((at - begin) / WINDOW), 1)

    def y(size: int) -> float:
        share = (size - low) / (high - low) if high > low else 0.5
        return round(bottom - (bottom - _SPARK_EDGE) * share, 1)

    shown = _thinned([(x(point.at), y(point.size_bytes)) for point in trend.sizes], SPARK_WIDTH)
    if len(shown) == 1:  # a line from one measurement to now
        shown.append((float(right), shown[0][1]))
    days = {backup.at.date(): backup.at for backup in trend.backups if backup.at >= begin}
    dots = tuple(Dot(x(at), _height_at(shown, x(at), float(bottom))) for at in days.values())
    return Sparkline(_points(shown), dots, len(days))


def _height_at(line: Sequence[tuple[float, float]], x: float, default: float) -> float:
    """Where the line runs at x; before its beginning and after its end, as it is there."""
    if not line:
        return default
    for (x1, y1), (x2, y2) in pairwise(line):
        if x1 <= x <= x2:
            return round(y1 + (y2 - y1) * ((x - x1) / (x2 - x1) if x2 > x1 else 0.0), 1)
    return line[0][1] if x < line[0][0] else line[-1][1]


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many: the last of each stretch, and the very first."""
    if len(points) <= most:
        return list(points)
    step = len(points) / (most - 1)
    kept = [points[min(int((number + 1) * step), len(points)) - 1] for number in range(most - 1)]
    return [points[0], *kept]
