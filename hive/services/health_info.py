"""What pages and commands show of health and tags: in a few queries, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.errors import InvalidInput, NotFound
from hive.kinds import Health, ScheduleKind
from hive.models import Repository, RepositoryTag
from hive.schedule import Downtimes, outlook
from hive.services import downtimes
from hive.services.health import record_of, running_until, schedule_of
from hive.services.permissions import Actor, visible_repositories


@dataclass(frozen=True)
class ScheduleInfo:
    """When backups are expected."""

    kind: ScheduleKind
    every: timedelta | None
    cron: str | None
    timezone: str | None
    grace: timedelta | None  # None: it cannot be told
    has_default_grace: bool  # the one of the settings
    in_words: str  # "every day"; "none"
    problem: str | None  # why it cannot be followed


@dataclass(frozen=True)
class HealthInfo:
    repository_id: int
    health: Health
    since: datetime
    is_running: bool  # a session that may be a backup is open
    last_backup_at: datetime | None
    due_at: datetime | None
    down_at: datetime | None
    schedule: ScheduleInfo
    paused_until: datetime | None
    muted_until: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    tags: tuple[str, ...]


async def health_infos(
    actor: Actor, repository_ids: Sequence[int] | None = None
) -> dict[int, HealthInfo]:
    """The health of repositories that the actor may see, by id, those in the trash included."""
    query = Repository.filter(await visible_repositories(actor))
    if repository_ids is not None:
        query = query.filter(id__in=list(repository_ids))
    rows = {row.id: row for row in await query}
    now = clock.now()
    running = await running_until(None if repository_ids is None else list(rows), now)
    off = await downtimes.spans()
    tagged = RepositoryTag.all()
    if repository_ids is not None:
        tagged = tagged.filter(repository_id__in=list(rows))
    tags: dict[int, list[str]] = {}
    for tag in await tagged.order_by("tag"):
        tags.setdefault(tag.repository_id, []).append(tag.tag)
    return {
        row.id: _info(row, row.id in running, tuple(tags.get(row.id, ())), now, off)
        for row in rows.values()
    }


async def health_info(actor: Actor, repository_id: int) -> HealthInfo:
    """The health of one repository that the actor may see."""
    found = (await health_infos(actor, [repository_id])).get(repository_id)
    if found is None:
        raise NotFound("There is no such repository.")
    return found


def _info(
    row: Repository, is_running: bool, tags: tuple[str, ...], now: datetime, off: Downtimes
) -> HealthInfo:
    due_at = down_at = grace = problem = None
    words = "none"
    try:
        schedule = schedule_of(row)
        words, grace = schedule.in_words, schedule.grace
        view = outlook(schedule, record_of(row, off), now)
        due_at, down_at = view.due_at, view.down_at
    except InvalidInput as error:
        problem, words = error.message, "cannot be followed"
    return HealthInfo(
        repository_id=row.id,
        health=row.health,
        since=row.health_since or row.created_at,
        is_running=is_running,
        last_backup_at=row.last_backup_at,
        due_at=due_at,
        down_at=down_at,
        schedule=ScheduleInfo(
            kind=row.schedule_kind,
            every=_seconds(row.schedule_seconds),
            cron=row.schedule_cron,
            timezone=row.schedule_timezone,
            grace=grace,
            has_default_grace=row.grace_seconds is None,
            in_words=words,
            problem=problem,
        ),
        paused_until=_if_ahead(row.paused_until, now),
        muted_until=_if_ahead(row.muted_until, now),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        tags=tags,
    )


def _seconds(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _if_ahead(at: datetime | None, now: datetime) -> datetime | None:
    return at if at is not None and at > now else None
