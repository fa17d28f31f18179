"""Charts as numbers for SVG: templates draw them, so that pages need no script for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from hive.services.measurements.trends import WINDOW, Backup, History, Measurement, Trend

SPARK_WIDTH, SPARK_HEIGHT = 160, 36
_SPARK_EDGE = 4  # room for dots
WIDTH, HEIGHT = 720, 200
BARS_HEIGHT = 56
_MOST_POINTS = 240
_MOST_BARS = 120
_NARROWEST = timedelta(minutes=1)


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


@dataclass(frozen=True, kw_only=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    backups: int
    bytes_added: int
    at: datetime


@dataclass(frozen=True)
class Chart:
    """Areas over the time, of `WIDTH` by `HEIGHT`, and bars of `BARS_HEIGHT` below them."""

    begin: datetime
    middle: datetime
    end: datetime
    top_bytes: int
    live: str  # polygons; empty where it is not known
    total: str
    line: str
    bars: tuple[Bar, ...]
    most_added: int

    @property
    def half_bytes(self) -> int:
        return self.top_bytes // 2


def chart(history: History, since: datetime | None, now: datetime) -> Chart | None:
    """None where nothing was measured in that time."""
    measured = history.measurements
    if not measured:
        return None
    begin = since or min(measured[0].at, *(backup.at for backup in history.backups[:1]), now)
    begin = min(begin, now - _NARROWEST)
    top = _round_up(max(1, *(one.size_bytes for one in measured)))

    def x(at: datetime) -> float:
        return round(min(max((at - begin) / (now - begin), 0.0), 1.0) * WIDTH, 1)

    def line(value: Callable[[Measurement], int | None]) -> list[tuple[float, float]]:
        known = ((one.at, value(one)) for one in measured)
        points = [
            (x(at), round(HEIGHT - HEIGHT * min(size / top, 1.0), 1))
            for at, size in known
            if size is not None
        ]
        if points:  # what was measured last holds until now
            points.append((float(WIDTH), points[-1][1]))
        return _thinned(points, _MOST_POINTS)

    total, live = line(lambda one: one.size_bytes), line(lambda one: one.live_bytes)
    bars = _bars(history.backups, x)
    return Chart(
        begin=begin,
        middle=begin + (now - begin) / 2,
        end=now,
        top_bytes=top,
        live=_area(live),
        total=_area(total),
        line=_points(total),
        bars=bars,
        most_added=max((bar.bytes_added for bar in bars), default=0),
    )


def _bars(backups: Sequence[Backup], x: Callable[[datetime], float]) -> tuple[Bar, ...]:
    """What backups added; those that lie closer than a bar is wide share one."""
    width = WIDTH / _MOST_BARS
    places: dict[int, list[Backup]] = {}
    for backup in backups:
        place = min(int(x(backup.at) / width), _MOST_BARS - 1)
        places.setdefault(place, []).append(backup)
    sums = {place: sum(one.bytes_added or 0 for one in ones) for place, ones in places.items()}
    most = max(sums.values(), default=0)
    found = []
    for place, ones in sorted(places.items()):
        # A backup that added next to nothing is a backup all the same.
        height = max(round(BARS_HEIGHT * sums[place] / most, 1) if most else 0.0, 2.0)
        left, top = round(place * width + 1, 1), round(BARS_HEIGHT - height, 1)
        bar = Bar(
            x=left,
            y=top,
            width=round(width - 2, 1),
            height=height,
            backups=len(ones),
            bytes_added=sums[place],
            at=ones[-1].at,
        )
        found.append(bar)
    return tuple(found)


def _area(line: Sequence[tuple[float, float]]) -> str:
    if not line:
        return ""
    return _points([(line[0][0], float(HEIGHT)), *line, (line[-1][0], float(HEIGHT))])


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many: the last of each stretch, and the very first."""
    if len(points) <= most:
        return list(points)
    step = len(points) / (most - 1)
    kept = [points[min(int((number + 1) * step), len(points)) - 1] for number in range(most - 1)]
    return [points[0], *kept]


def _round_up(size: int) -> int:
    """The next larger of 1, 2, 4, 6, 8 and 10 times a power of ten."""
    scale: int = 10 ** (len(str(size)) - 1)
    return next(step * scale for step in (1, 2, 4, 6, 8, 10) if step * scale >= size)
