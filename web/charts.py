"""Strips of days as paths for SVG: templates draw them, so that no page needs a script. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hive.services.health.strips import DayKind, Strip

PITCH = 7  # from one day to the next
CELL, CELL_HEIGHT = 5, 16
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
        if drawn := cell(day.kind, number * PITCH):
            paths.setdefault(day.kind, []).append(drawn)
    return StripDrawing(
        max(len(days.days) * PITCH - (PITCH - CELL), 0),
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


@lru_cache(maxsize=1024)
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
    return _Shape(0, CELL_HEIGHT - height, f"h{CELL}v{height:g}h-{CELL}z")


def _hollow(height: float) -> _Shape:
    inner, across = height - 2 * _EDGE, CELL - 2 * _EDGE
    hole = f"m{_EDGE} {_EDGE}v{inner:g}h{across:g}v-{inner:g}z"
    return _Shape(0, CELL_HEIGHT - height, _filled(height).path + hole)


_HALF = 8.8  # high
_SHAPES = {
    DayKind.MADE: _filled(CELL_HEIGHT),
    DayKind.LATE: _filled(_HALF),
    DayKind.DUE: _hollow(_HALF),
    DayKind.MISSING: _hollow(CELL_HEIGHT),
    DayKind.FAILED: _Shape(1, 0, "h3v9.6h-3zm0 12.8h3v3.2h-3z"),  # an exclamation mark
    DayKind.RUNNING: _Shape(2.5, 1, "l4 6h-2.5v9h-3v-9h-2.5z"),  # an arrow
    DayKind.NOTHING: _Shape(1.5, 14, "h2v2h-2z"),
    DayKind.ABSENT: _Shape(0, 0, ""),
}
LEGEND = tuple((kind, CLASSES[kind], cell(kind, 0)) for kind in DayKind if kind != DayKind.ABSENT)
