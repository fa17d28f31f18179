"""How repositories grew and when they were backed up: for lists in two queries, for charts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock, sql
from hive.kinds import ArchiveCreated
from hive.models import Repository, Session, Statistic
from hive.services.storage import sizes

_WEEK = timedelta(weeks=1)
_MAX_BACKUPS = 1000  # of one chart


@dataclass(frozen=True)
class Backup:
    """A session that made a complete archive."""

    session_id: int
    at: datetime  # when it ended
    took: timedelta
    bytes_added: int | None


async def week_changes(repository_ids: Collection[int]) -> dict[int, int]:
    """By how much repositories have changed within a week, as far as that can be told."""
    return await sizes.changes(repository_ids, clock.now() - _WEEK)


async def took(rows: Sequence[Repository]) -> dict[int, timedelta]:
    """How long the last backups took of these repositories, where sessions made them."""
    last = {row.id: row.last_backup_at for row in rows if row.last_backup_at is not None}
    made = Session.filter(
        repository_id__in=sql.ids(last),
        ended_at__in=list(last.values()),
        archive_created=ArchiveCreated.YES,
    )
    return {
        row["repository_id"]: row["ended_at"] - row["started_at"]
        for row in await made.values("repository_id", "started_at", "ended_at")
        if last[row["repository_id"]] == row["ended_at"]
    }


async def _backups(repository_id: int, since: datetime | None) -> list[Backup]:
    query = Session.filter(
        repository_id=repository_id,
        archive_created=ArchiveCreated.YES,
        ended_at__isnull=False,
    )
    if since is not None:
        query = query.filter(started_at__gte=since)
    found = []
    rows = query.annotate(begin=sql.stored("started_at"), end=sql.stored("ended_at"))
    columns = ("id", "begin", "end", "bytes_added")
    for row in await rows.order_by("ended_at", "id").values(*columns):
        end = sql.moment(row["end"])
        length = max(end - sql.moment(row["begin"]), timedelta(0))
        found.append(Backup(row["id"], end, length, row["bytes_added"]))
    return found


@dataclass(frozen=True)
class Measurement:
    """Sizes at one time; None for what is not known."""

    at: datetime
    size_bytes: int
    live_bytes: int | None
    reclaimable_bytes: int | None


@dataclass(frozen=True)
class History:
    """What a chart shows, oldest first."""

    measurements: Sequence[Measurement]
    backups: Sequence[Backup]


async def history(repository_id: int, since: datetime | None) -> History:
    """All that is kept since then, or of all times; for who may see the repository."""
    query = Statistic.filter(repository_id=repository_id)
    if since is not None:
        query = query.filter(at__gte=since)
    rows = await query.order_by("at", "id")
    backups = await _backups(repository_id, since)
    return History(
        [Measurement(r.at, r.size_bytes, r.live_bytes, r.reclaimable_bytes) for r in rows],
        backups[-_MAX_BACKUPS:],
    )
