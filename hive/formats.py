"""Sizes, durations and points in time as English text and in commands; units.py reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

_PARTS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def format_size(size: int) -> str:
    """`size` in bytes as borg shows it: '5.00 GB'."""
    if abs(size) < 1000:
        return f"{size} B"
    value = Decimal(size)
    shown = ""
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        value = value / 1000
        shown = f"{value:.2f} {unit}"
        if abs(round(value, 2)) < 1000:  # 999.995 would be shown as 1000.00 of this unit
            break
    return shown


def format_duration(span: timedelta) -> str:
    """`span` as parse_duration reads it, in whole seconds: '1d12h'."""
    rest = int(span.total_seconds())
    sign, rest = ("-", -rest) if rest < 0 else ("", rest)
    parts = []
    for unit, size in _PARTS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0s")


def moment(at: datetime) -> str:
    """`at` to the minute, in UTC: '2026-11-30 14:05 UTC'."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(length: timedelta) -> str:
    """'9 days': rounded down in its largest unit."""
    found = largest_unit(length)
    if found is None:
        return "less than a minute"
    count, name = found
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def largest_unit(length: timedelta) -> tuple[int, str] | None:
    """(9, "day"): a span rounded down, in days at most; None below a minute."""
    seconds = int(length.total_seconds())
    return next(((seconds // size, name) for size, name in _SPANS if seconds >= size), None)
