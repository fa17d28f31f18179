"""How repositories grew and when they were backed up: for lists in two queries, for charts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock, sql
from hive.kinds import ArchiveCreated
from hive.models import Session, Statistic
from hive.services.storage import sizes
from hive.services.storage.forecast import Point

WINDOW = sizes.WINDOW
_WEEK = timedelta(weeks=1)
_MAX_BACKUPS = 1000  # of one chart


@dataclass(frozen=True)
class Backup:
    """A session that made a complete archive."""

    session_id: int
    at: datetime  # when it ended
    took: timedelta
    bytes_added: int | None


@dataclass(frozen=True)
class Trend:
    """The last 30 days of a repository, oldest first."""

    sizes: tuple[Point, ...] = ()
    backups: tuple[Backup, ...] = ()

    def change_since(self, at: datetime) -> int | None:
        """By how much the size has changed since then; None where it was not measured before."""
        before = [point.size_bytes for point in self.sizes if point.at <= at]
        return self.sizes[-1].size_bytes - before[-1] if before else None

    @property
    def week_change(self) -> int | None:
        return self.change_since(clock.now() - _WEEK)

    def took(self, backup_at: datetime | None) -> timedelta | None:
        """How long the last backup took, if that was the one of this time."""
        last = self.backups[-1] if self.backups else None
        return last.took if last is not None and last.at == backup_at else None


async def trends(repository_ids: Collection[int]) -> dict[int, Trend]:
    """The trends of repositories that the actor may see; two queries, however many."""
    since = clock.now() - WINDOW
    points: dict[int, list[Point]] = {}
    measured = Statistic.filter(repository_id__in=list(repository_ids), at__gte=since)
    rows = measured.annotate(time=sql.stored("at")).order_by("at", "id")
    for row in await rows.values("repository_id", "time", "size_bytes"):
        point = Point(sql.moment(row["time"]), row["size_bytes"])
        points.setdefault(row["repository_id"], []).append(point)
    backups = await _backups(repository_ids, since)
    return {
        one: Trend(tuple(points.get(one, ())), tuple(backups.get(one, ())))
        for one in repository_ids
    }


async def week_changes(repository_ids: Collection[int]) -> dict[int, int]:
    """By how much repositories have changed within a week, as `Trend.week_change` says it."""
    return await sizes.changes(repository_ids, clock.now() - _WEEK)


async def _backups(
    repository_ids: Collection[int], since: datetime | None
) -> dict[int, list[Backup]]:
    query = Session.filter(
        repository_id__in=list(repository_ids),
        archive_created=ArchiveCreated.YES,
        ended_at__isnull=False,
    )
    if since is not None:
        query = query.filter(started_at__gte=since)
    found: dict[int, list[Backup]] = {}
    rows = query.annotate(begin=sql.stored("started_at"), end=sql.stored("ended_at"))
    columns = ("id", "repository_id", "begin", "end", "bytes_added")
    for row in await rows.order_by("ended_at", "id").values(*columns):
        end = sql.moment(row["end"])
        took = max(end - sql.moment(row["begin"]), timedelta(0))
        found.setdefault(row["repository_id"], []).append(
            Backup(row["id"], end, took, row["bytes_added"])
        )
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
    backups = (await _backups([repository_id], since)).get(repository_id, [])
    return History(
        [Measurement(r.at, r.size_bytes, r.live_bytes, r.reclaimable_bytes) for r in rows],
        backups[-_MAX_BACKUPS:],
    )
