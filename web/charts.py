"""Charts as numbers for SVG: templates draw them, so that pages need no script for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive.services.health.strips import DayKind, Strip
from hive.services.measurements.trends import Backup, History, Measurement

WIDTH, HEIGHT = 720, 200
BARS_HEIGHT = 56
_MOST_POINTS = 240
_MOST_BARS = 120
_NARROWEST = timedelta(minutes=1)


_PITCH = 7  # from one day to the next
_CELL, _CELL_HEIGHT = 5, 16
_EDGE = 1.2  # of a hollow cell


@dataclass(frozen=True)
class StripDrawing:
    """A strip of days: one path for each kind of day, of `width` by 16."""

    width: int
    paths: tuple[tuple[str, str], ...]  # the class of CSS, and what is drawn
    counts: tuple[tuple[DayKind, int], ...]
    length: int


def strip(days: Strip) -> StripDrawing:
    """Filled: there is a backup; hollow: there is none. Half as high: late."""
    paths: dict[DayKind, list[str]] = {}
    for number, day in enumerate(days.days):
        if drawn := cell(day.kind, number * _PITCH):
            paths.setdefault(day.kind, []).append(drawn)
    return StripDrawing(
        max(len(days.days) * _PITCH - (_PITCH - _CELL), 0),
        tuple((CLASSES[kind], "".join(drawn)) for kind, drawn in paths.items()),
        tuple(days.counts.items()),
        len(days.days),
    )


CLASSES = {
    DayKind.MADE: "m",
    DayKind.LATE: "l",
    DayKind.DUE: "d",
    DayKind.MISSING: "x",
    DayKind.FAILED: "f",
    DayKind.RUNNING: "r",
    DayKind.NOTHING: "n",
    DayKind.ABSENT: "",
}


def cell(kind: DayKind, x: float) -> str:
    """One day at x, as a path; each kind has a shape of its own, so that no colour is needed."""
    shape = _SHAPES[kind]
    return f"M{x + shape.x:g} {shape.y:g}{shape.path}" if shape.path else ""


@dataclass(frozen=True)
class _Shape:
    """Where in the cell a path begins, and its steps from there."""

    x: float
    y: float
    path: str


def _filled(height: float) -> _Shape:
    return _Shape(0, _CELL_HEIGHT - height, f"h{_CELL}v{height:g}h-{_CELL}z")


def _hollow(height: float) -> _Shape:
    inner, across = height - 2 * _EDGE, _CELL - 2 * _EDGE
    hole = f"m{_EDGE} {_EDGE}v{inner:g}h{across:g}v-{inner:g}z"
    return _Shape(0, _CELL_HEIGHT - height, _filled(height).path + hole)


_HALF = 8.8  # high
_SHAPES = {
    DayKind.MADE: _filled(_CELL_HEIGHT),
    DayKind.LATE: _filled(_HALF),
    DayKind.DUE: _hollow(_HALF),
    DayKind.MISSING: _hollow(_CELL_HEIGHT),
    DayKind.FAILED: _Shape(1, 0, "h3v9.6h-3zm0 12.8h3v3.2h-3z"),  # an exclamation mark
    DayKind.RUNNING: _Shape(2.5, 1, "l4 6h-2.5v9h-3v-9h-2.5z"),  # an arrow
    DayKind.NOTHING: _Shape(1.5, 14, "h2v2h-2z"),
    DayKind.ABSENT: _Shape(0, 0, ""),
}
LEGEND = tuple((kind, CLASSES[kind], cell(kind, 0)) for kind in DayKind if kind != DayKind.ABSENT)


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
