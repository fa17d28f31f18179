"""Times, spans and sizes as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from hive import clock, units

_STEPS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=7), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def exact(at: datetime) -> str:
    """2026-11-23 17:05:00 UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(length: timedelta) -> str:
    """A span in its largest unit: '3 minutes', '2 weeks'."""
    for step, name in _STEPS:
        if length >= step:
            count = length // step
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return "less than a minute"


def relative(at: datetime) -> str:
    distance = clock.now() - at
    if abs(distance) < timedelta(minutes=1):
        return "just now"
    return f"{span(distance)} ago" if distance > timedelta(0) else f"in {span(-distance)}"


def ago(at: datetime) -> Markup:
    """How long ago, with the exact time in UTC on hover."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        clock.rfc3339(at), exact(at), relative(at)
    )


def moment(at: datetime) -> Markup:
    """The time itself: in UTC, which the page's script turns into the viewer's zone."""
    shown = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}" data-local>{}</time>').format(
        clock.rfc3339(at), exact(at), shown
    )


def took(start: datetime, end: datetime | None) -> str:
    """How long from start to end, or until now: '3m12s'; the two largest units are enough."""
    seconds = max(0, int(((end or clock.now()) - start).total_seconds()))
    bounds = ((604_800, 86_400), (86_400, 3_600), (3_600, 60))
    unit = next((unit for bound, unit in bounds if seconds >= bound), 1)
    return units.format_duration(timedelta(seconds=seconds - seconds % unit))


def size(count: int | None) -> str:
    return "\u2013" if count is None else units.format_size(count)
