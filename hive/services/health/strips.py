"""Strips of days: what became of the backups of repositories, day by day in a reader's time zone.

The one place for what a day counts as. What is kept of each half hour stands in
hive/services/health/days.py; a strip costs two queries, however many repositories it is asked of
and however long their history is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import cast

from hive import clock, sql
from hive.kinds import Health
from hive.models import Repository
from hive.services.health import days
from hive.services.health.infos import HealthInfo

WALL, LIST, PAGE = 14, 30, 90  # days of the strips that are shown


class DayKind(StrEnum):
    """What a day counts as. A backup that was made in the end is a backup."""

    MADE = "made"  # one ended that day, in time or with nothing expected
    LATE = "late"  # one ended that day, after it was due
    DUE = "due"  # today only: one is due and not there yet
    MISSING = "missing"  # one was due that day, and none was made
    FAILED = "failed"  # a session wrote and did not end well, and none was made
    RUNNING = "running"  # today only
    NOTHING = "nothing"  # none was expected
    ABSENT = "absent"  # the repository was not there yet


@dataclass(frozen=True)
class Day:
    date: date  # in the zone that was asked for
    kind: DayKind


@dataclass(frozen=True)
class Strip:
    """The oldest day first; the last one is today."""

    days: tuple[Day, ...] = ()

    @property
    def counts(self) -> Mapping[DayKind, int]:
        """How many days are of each kind, in the order of the kinds."""
        found = Counter(one.kind for one in self.days)
        return {kind: found[kind] for kind in DayKind if found[kind]}


async def strips(
    healths: Collection[HealthInfo],
    zone: tzinfo | None,
    length: int,
    created: Mapping[int, datetime] | None = None,
) -> dict[int, Strip]:
    """The last `length` days of these repositories up to today, in a zone (None: UTC), by id.

    Whoever has the health of a repository may see it, so nothing more is asked. `created`: when
    they were added, where that is known already.
    """
    now = clock.now()
    zone = zone or UTC
    spans = _spans(now.astimezone(zone).date(), zone, length)
    ids = [one.repository_id for one in healths]
    if created is None:
        rows = Repository.filter(id__in=ids).values("id", "created_at")
        created = {row["id"]: row["created_at"] for row in await rows}
    kept = await _kept(ids, spans[0].pieces[0][0])
    return {
        one.repository_id: _strip(
            one, created[one.repository_id], kept.get(one.repository_id, {}), spans
        )
        for one in healths
        if one.repository_id in created
    }


async def strip(health: HealthInfo, zone: tzinfo | None, length: int) -> Strip:
    """The same of one repository."""
    return (await strips([health], zone, length)).get(health.repository_id, Strip())


# made, late, due and failed of a day: one bit for each half hour, as in `BackupDay`. A page has
# thousands of these, so that they are plain tuples.
_Marks = tuple[int, int, int, int]
_NONE: _Marks = (0, 0, 0, 0)


@dataclass(frozen=True)
class _Span:
    """One day of the reader's: the half hours of UTC that belong to it, by day of UTC."""

    date: date
    end: datetime
    pieces: tuple[tuple[int, int], ...]


@lru_cache(maxsize=128)
def _spans(today: date, zone: tzinfo, length: int) -> list[_Span]:
    dates = [today - timedelta(days=back) for back in range(length - 1, -2, -1)]
    midnights = [datetime.combine(one, time(), zone).astimezone(UTC) for one in dates]
    return [
        _Span(dates[place], midnights[place + 1], _pieces(midnights[place], midnights[place + 1]))
        for place in range(length)
    ]


def _pieces(begin: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
    found: dict[int, int] = {}
    at = begin
    while at < end:
        day, bit = days.slot_of(at)
        found[day] = found.get(day, 0) | bit
        at += days.SLOT
    return tuple(found.items())


async def _kept(ids: Sequence[int], since: int) -> dict[int, dict[int, _Marks]]:
    found: dict[int, dict[int, _Marks]] = {}
    for repository, day, *marks in await sql.backup_days(ids, since):
        found.setdefault(repository, {})[day] = cast("_Marks", marks)
    return found


def _strip(
    health: HealthInfo, created_at: datetime, kept: Mapping[int, _Marks], spans: Sequence[_Span]
) -> Strip:
    found = []
    for span in spans:
        marks = _within(span, kept)
        is_today = span is spans[-1]
        kind = _of_marks(marks, health, is_today=is_today)
        if kind is DayKind.NOTHING and span.end <= created_at:
            kind = DayKind.ABSENT
        found.append(Day(span.date, kind))
    return Strip(tuple(found))


def _within(span: _Span, kept: Mapping[int, _Marks]) -> _Marks:
    made = late = due = failed = 0
    for number, (day, mask) in enumerate(span.pieces):
        marks = kept.get(day, _NONE)
        # half hours of two days are apart, so that what was in time stays so
        made |= (marks[0] & mask) << number * 48
        late |= (marks[1] & mask) << number * 48
        due |= marks[2] & mask
        failed |= marks[3] & mask
    return made, late, due, failed


def _of_marks(marks: _Marks, health: HealthInfo, *, is_today: bool) -> DayKind:
    made, late, due, failed = marks
    if made:
        return DayKind.MADE if made & ~late else DayKind.LATE
    if is_today and health.is_backing_up:
        return DayKind.RUNNING
    if failed:
        return DayKind.FAILED
    if is_today and health.health == Health.LATE:
        return DayKind.DUE
    if due or (is_today and health.health == Health.DOWN):
        return DayKind.MISSING
    return DayKind.NOTHING
