"""The chart of one repository's size as numbers for SVG: areas, bars, quota and forecast. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hive.services.measurements.trends import Backup, History, Measurement

WIDTH, HEIGHT = 720, 200
BARS_HEIGHT = 56
_FUTURE = 2 / 9  # of the width, for the forecast
_MOST_POINTS = 240
_MOST_BARS = 120
_MOST_SPOTS = 60
_NARROWEST = timedelta(minutes=1)
_LEAST_FORECAST = timedelta(days=6)  # shorter charts look back only
_ROOM = 1.08  # above the highest line
_FAR = 2.5  # times the size: a quota further up would press all else to the ground


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What backups added."""

    x: float
    y: float
    width: float
    height: float
    backups: int
    bytes_added: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A part of the areas that tells its figures when it is pointed at."""

    x: float
    width: float
    at: datetime
    size_bytes: int
    live_bytes: int | None


@dataclass(frozen=True)
class Tick:
    """A line across, at its height and in per cent from the top."""

    y: float
    percent: float
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Areas over the time, of `WIDTH` by `HEIGHT`, and bars of `BARS_HEIGHT` below them.

    now_x     where the present is; behind it is the forecast
    quota     None where there is none, or where it is too far up to be drawn
    forecast  points of a line; empty where there is none
    """

    begin: datetime
    middle: datetime
    now: datetime
    end: datetime
    now_x: float
    ticks: tuple[Tick, ...]
    live: str  # polygons; empty where it is not known
    total: str
    line: str
    quota: Tick | None
    forecast: str
    spots: tuple[Spot, ...]
    bars: tuple[Bar, ...]
    most_added: int

    @property
    def now_percent(self) -> float:
        return round(100 * self.now_x / WIDTH, 1)

    @property
    def middle_percent(self) -> float:
        return round(self.now_percent / 2, 1)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is expected of the size, and its limit."""

    quota_bytes: int | None = None
    bytes_per_week: int | None = None
    quota_full_on: date | None = None


def chart(
    history: History, since: datetime | None, now: datetime, outlook: Outlook | None = None
) -> Chart | None:
    """None where nothing was measured in that time."""
    measured = [one for one in history.measurements if since is None or one.at >= since]
    backups = [one for one in history.backups if since is None or one.at >= since]
    if not measured:
        return None
    begin = since or min(measured[0].at, *(backup.at for backup in backups[:1]), now)
    begin = min(begin, now - _NARROWEST)
    return _Drawing(begin, now, measured, backups, outlook or Outlook()).chart


class _Drawing:
    def __init__(
        self,
        begin: datetime,
        now: datetime,
        measured: Sequence[Measurement],
        backups: Sequence[Backup],
        outlook: Outlook,
    ) -> None:
        self._begin, self._now = begin, now
        self._measured, self._backups, self._outlook = measured, backups, outlook
        self._last = measured[-1].size_bytes
        has_forecast = outlook.bytes_per_week is not None and now - begin >= _LEAST_FORECAST
        self._now_x = round(WIDTH * (1 - _FUTURE), 1) if has_forecast else float(WIDTH)
        ahead = (now - begin) * ((WIDTH - self._now_x) / self._now_x)
        self._end = now + ahead
        self._guess = self._last
        if has_forecast:
            weeks = ahead / timedelta(weeks=1)
            self._guess = max(0, round(self._last + (outlook.bytes_per_week or 0) * weeks))
        highest = max(1, self._guess, *(one.size_bytes for one in measured))
        quota = outlook.quota_bytes
        self._has_quota = quota is not None and quota <= _FAR * highest
        highest = max(highest, quota or 0) if self._has_quota else highest
        self._top = highest * _ROOM
        self._step = _step(highest)

    @property
    def chart(self) -> Chart:
        total, live = self._line(lambda one: one.size_bytes), self._line(lambda one: one.live_bytes)
        bars = self._bars()
        quota = self._outlook.quota_bytes
        return Chart(
            begin=self._begin,
            middle=self._begin + (self._now - self._begin) / 2,
            now=self._now,
            end=self._end,
            now_x=self._now_x,
            ticks=tuple(
                self._tick(size) for size in range(self._step, int(self._top) + 1, self._step)
            ),
            live=_area(live),
            total=_area(total),
            line=_points(total),
            quota=self._tick(quota) if quota is not None and self._has_quota else None,
            forecast=_points(
                [(self._now_x, self._y(self._last)), (float(WIDTH), self._y(self._guess))]
            )
            if self._now_x < WIDTH
            else "",
            spots=self._spots(),
            bars=bars,
            most_added=max((bar.bytes_added for bar in bars), default=0),
        )

    def _x(self, at: datetime) -> float:
        share = (at - self._begin) / (self._now - self._begin)
        return round(min(max(share, 0.0), 1.0) * self._now_x, 1)

    def _y(self, size: int) -> float:
        return round(HEIGHT - HEIGHT * min(size / self._top, 1.0), 1)

    def _tick(self, size: int) -> Tick:
        y = self._y(size)
        return Tick(y, round(100 * y / HEIGHT, 1), size)

    def _line(self, value: Callable[[Measurement], int | None]) -> list[tuple[float, float]]:
        known = ((one.at, value(one)) for one in self._measured)
        points = [(self._x(at), self._y(size)) for at, size in known if size is not None]
        if points:  # what was measured last holds until now
            points.append((self._now_x, points[-1][1]))
        return _thinned(points, _MOST_POINTS)

    def _spots(self) -> tuple[Spot, ...]:
        """The last measurement of each stretch; it holds until the next stretch with one."""
        width = self._now_x / _MOST_SPOTS
        places = {min(int(self._x(one.at) / width), _MOST_SPOTS - 1): one for one in self._measured}
        numbers = sorted(places)
        ends = [*numbers[1:], _MOST_SPOTS]
        return tuple(
            Spot(
                x=round(number * width, 1),
                width=round((end - number) * width, 1),
                at=places[number].at,
                size_bytes=places[number].size_bytes,
                live_bytes=places[number].live_bytes,
            )
            for number, end in zip(numbers, ends, strict=True)
        )

    def _bars(self) -> tuple[Bar, ...]:
        """What backups added; those that lie closer than a bar is wide share one."""
        width = self._now_x / _MOST_BARS
        places: dict[int, list[Backup]] = {}
        for backup in self._backups:
            place = min(int(self._x(backup.at) / width), _MOST_BARS - 1)
            places.setdefault(place, []).append(backup)
        sums = {place: sum(one.bytes_added or 0 for one in ones) for place, ones in places.items()}
        most = max(sums.values(), default=0)
        found = []
        for place, ones in sorted(places.items()):
            # A backup that added next to nothing is a backup all the same.
            height = max(round(BARS_HEIGHT * sums[place] / most, 1) if most else 0.0, 2.0)
            bar = Bar(
                x=round(place * width + width / 6, 1),
                y=round(BARS_HEIGHT - height, 1),
                width=round(width * 2 / 3, 1),
                height=height,
                backups=len(ones),
                bytes_added=sums[place],
                at=ones[-1].at,
            )
            found.append(bar)
        return tuple(found)


def _step(highest: int) -> int:
    """Between the lines across: 1, 2 or 5 times a power of ten, so that there are 2 to 5."""
    scale: int = 10 ** max(0, len(str(highest)) - 1)
    steps = (scale * factor // 10 for factor in (2, 5, 10, 20, 50))
    return next((step for step in steps if step >= 1 and highest / step <= 5), max(1, highest))


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
