"""The strip of days on a repository's page: one cell a day, each of which says what came. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo

from hive.services.health.strips import DayKind, Strip
from hive.services.measurements.trends import Backup
from web.charts import CELL, CLASSES, PITCH, cell

PART = 30  # days in a row on a phone
WIDTH = PART * PITCH - (PITCH - CELL)
_BACKED_UP = (DayKind.MADE, DayKind.LATE)
_EXPECTED = (*_BACKED_UP, DayKind.DUE, DayKind.MISSING, DayKind.FAILED)


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
                    path=cell(day.kind, place * PITCH),
                    css=CLASSES[day.kind],
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
