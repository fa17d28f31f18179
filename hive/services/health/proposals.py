"""The schedule that a repository seems to keep, where nobody has given it one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from hive import clock
from hive.kinds import ArchiveCreated, ScheduleKind
from hive.models import Repository, Session
from hive.sentences import say
from hive.services.health import days

_ENOUGH = 3  # backups
_LOOKED_AT = 12
_WINDOW = timedelta(days=60)
_ONE_RUN = timedelta(minutes=30)  # what follows within that belongs to the same backup
_STEADY = 2.0  # the longest pause is at most so many times the usual one
_USUAL = (
    *(timedelta(hours=hours) for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(timedelta(days=days) for days in (1, 2, 3, 7, 14, 30)),
)
_NEAR = 0.25  # of the usual one


async def observed(repository_id: int) -> timedelta | None:
    """How often backups come through the gate; None where there is a schedule, or no habit."""
    row = await Repository.get_or_none(id=repository_id, deleted_at=None)
    if row is None or row.schedule_kind != ScheduleKind.NONE:
        return None
    made = Session.filter(
        repository_id=repository_id, archive_created=ArchiveCreated.YES, undone_at=None
    ).exclude(ended_at=None)
    if row.emptied_at is not None:
        made = made.filter(started_at__gt=row.emptied_at)
    newest = await made.order_by("-started_at").limit(_LOOKED_AT).values("started_at")
    return interval_of([one["started_at"] for one in newest])


async def observed_of(rows: Sequence[Repository]) -> dict[int, timedelta]:
    """The same of many, by id, in one query: to the half hour, which the strips of days keep."""
    free = {row.id: row.emptied_at for row in rows if row.schedule_kind == ScheduleKind.NONE}
    times = await days.made_of(list(free), clock.now() - _WINDOW) if free else {}
    found = {}
    for one, made in times.items():
        emptied_at = free[one]
        kept = [at for at in made if emptied_at is None or at > emptied_at]
        if every := interval_of(kept[-_LOOKED_AT:]):
            found[one] = every
    return found


def interval_of(times: Sequence[datetime]) -> timedelta | None:
    """The interval that backups at these times keep, as people would say it; None for none."""
    begun: list[datetime] = []
    for at in sorted(times):
        if not begun or at - begun[-1] > _ONE_RUN:
            begun.append(at)
    if len(begun) < _ENOUGH:
        return None
    pauses = [(late - early).total_seconds() for early, late in pairwise(begun)]
    usual = median(pauses)
    if max(pauses) > _STEADY * usual:
        return None
    nearest = min(_USUAL, key=lambda one: abs(one.total_seconds() - usual))
    is_near = abs(nearest.total_seconds() - usual) <= _NEAR * nearest.total_seconds()
    return nearest if is_near else None


def in_words(every: timedelta) -> str:
    """'24 hours', '7 days': how one would say what was observed."""
    hours = int(every.total_seconds()) // 3600
    if hours <= 24:
        return "hour" if hours == 1 else say("%(count)s hours", count=hours)
    return say("%(count)s days", count=hours // 24)
