"""Which measurements are kept: all of a month, one a day for a year, one a week after. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

KEEP_ALL = timedelta(days=31)
KEEP_DAILY = timedelta(days=366)

K = TypeVar("K")


def superfluous(measured: Iterable[tuple[K, datetime]], now: datetime) -> set[K]:
    """What may go: of each day, or of each week, the last one stays.

    Days and weeks are those of the calendar in UTC, so that doing it again takes no more.
    """
    gone: set[K] = set()
    kept: dict[tuple[str, int], K] = {}
    for key, at in sorted(measured, key=lambda one: one[1]):
        age = now - at
        if age <= KEEP_ALL:
            continue
        day = at.toordinal()
        bucket = ("day", day) if age <= KEEP_DAILY else ("week", (day - 1) // 7)
        if bucket in kept:
            gone.add(kept[bucket])
        kept[bucket] = key
    return gone
