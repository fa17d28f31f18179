"""The strip of days on a repository's page: one cell a day, each of which says what came. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo

from hive.services.health.strips import DayKind, Strip
from hive.services.measurements.trends import Backup

PART = 30  # days in a row on a phone
PITCH, CELL_WIDTH, CELL_HEIGHT = 7.0, 5.4, 24.0
WIDTH = round(PART * PITCH - (PITCH - CELL_WIDTH), 1)
_BACKED_UP = (DayKind.MADE, DayKind.LATE)
_EXPECTED = (*_BACKED_UP, DayKind.DUE, DayKind.MISSING, DayKind.FAILED)
CLASSES = {
    DayKind.MADE: "m",
    DayKind.LATE: "l",
    DayKind.DUE: "d",
    DayKind.MISSING: "x",
    DayKind.FAILED: "f",
    DayKind.RUNNING: "r",
    DayKind.NOTHING: "n",
}


@dataclass(frozen=True, kw_only=True)
class DayCell:
    """One day; `last` is the newest backup of it."""

    date: date
    kind: DayKind
    path: str
    css: str
    backups: int
    last: Backup | None


@dataclass(frozen=True, kw_only=True)
class DayPart:
    """Days beside each other."""

    begin: date
    end: date
    cells: tuple[DayCell, ...]
    counts: Mapping[DayKind, int]


@dataclass(frozen=True, kw_only=True)
class DayStrip:
    """`expected`: days on which one was due or came; `backed_up` and `late` of them, and in all."""

    parts: tuple[DayPart, ...]
    days: int
    expected: int
    backed_up: int
    late: int

    @property
    def percent(self) -> int | None:
        """The share of days with a backup, of those on which one was expected."""
        return round(100 * self.backed_up / self.expected) if self.expected else None


def day_strip(strip: Strip, backups: Sequence[Backup], zone: tzinfo | None) -> DayStrip:
    """The days of `strip`, with the backups of each by the calendar of `zone`."""
    of_day: dict[date, list[Backup]] = {}
    for backup in backups:
        of_day.setdefault(backup.at.astimezone(zone or UTC).date(), []).append(backup)
    parts = []
    for start in range(0, len(strip.days), PART):
        days = strip.days[start : start + PART]
        cells = []
        for place, day in enumerate(days):
            made = of_day.get(day.date, [])
            cells.append(
                DayCell(
                    date=day.date,
                    kind=day.kind,
                    path=_cell(day.kind, place * PITCH),
                    css=CLASSES.get(day.kind, ""),
                    backups=len(made),
                    last=made[-1] if made else None,
                )
            )
        part = Strip(days)
        parts.append(
            DayPart(begin=days[0].date, end=days[-1].date, cells=tuple(cells), counts=part.counts)
        )
    counts = strip.counts
    return DayStrip(
        parts=tuple(parts),
        days=len(strip.days),
        expected=sum(counts.get(kind, 0) for kind in _EXPECTED),
        backed_up=sum(counts.get(kind, 0) for kind in _BACKED_UP),
        late=counts.get(DayKind.LATE, 0),
    )


def _cell(kind: DayKind, x: float) -> str:  # noqa: PLR0911 - one for each kind
    """The path of one day: filled where there is a backup, of half height where it is late."""
    width, height = CELL_WIDTH, CELL_HEIGHT
    low = height * 0.45
    match kind:
        case DayKind.MADE:
            return f"M{x:g} 0h{width}v{height:g}h-{width}z"
        case DayKind.LATE:
            return f"M{x:g} {low:g}h{width}v{height - low:g}h-{width}z"
        case DayKind.DUE:
            return _hollow(x, low, width, height - low)
        case DayKind.MISSING:
            return _hollow(x, 0, width, height)
        case DayKind.FAILED:
            left = x + (width - 3) / 2
            return f"M{left:g} 0h3v{height * 0.6:g}h-3zm0 {height * 0.8:g}h3v{height * 0.2:g}h-3z"
        case DayKind.RUNNING:
            return f"M{x + width / 2:g} 1l4 6h-2.5v{height - 7:g}h-3v-{height - 7:g}h-2.5z"
        case DayKind.NOTHING:
            return f"M{x + width / 2 - 1:g} {height - 2:g}h2v2h-2z"
        case DayKind.ABSENT:
            return ""


def _hollow(x: float, y: float, width: float, height: float) -> str:
    inner, deep = width - 2.4, height - 2.4
    outside = f"M{x:g} {y:g}h{width}v{height:g}h-{width}z"
    return f"{outside}m1.2 1.2v{deep:g}h{inner:g}v-{deep:g}z"
