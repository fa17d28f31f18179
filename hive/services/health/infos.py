"""What pages and commands show of health and tags: in a few queries, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock, schedule_words, sql
from hive.errors import InvalidInput, NotFound
from hive.kinds import Health, ScheduleKind, State
from hive.models import Repository, RepositoryTag
from hive.schedule import Downtimes, Schedule, outlook
from hive.sentences import say
from hive.services.alarms import alarms, server_alarms
from hive.services.alarms.alarms import AlarmInfo
from hive.services.alarms.server_alarms import Unknowns
from hive.services.clock import last_backups
from hive.services.health.review import record_of, running_until, schedule_of
from hive.services.health.states import state_of
from hive.services.outbox import downtimes
from hive.services.permissions import Actor, visible_repositories


@dataclass(frozen=True, kw_only=True)
class ScheduleInfo:
    """When backups are expected."""

    kind: ScheduleKind
    every: timedelta | None
    cron: str | None
    timezone: str | None
    grace: timedelta | None  # None: it is not known
    has_default_grace: bool  # the one of the settings
    in_words: str  # "every day"; "not watched"
    description: str  # "Every day at 03:00, Europe/Berlin, next tomorrow"
    schedule: Schedule | None  # None: it cannot be followed
    problem: str | None  # why it cannot be followed


@dataclass(frozen=True, kw_only=True)
class HealthInfo:
    repository_id: int
    state: State  # all things considered
    health: Health  # by its schedule alone
    since: datetime  # of the health
    alarms: tuple[AlarmInfo, ...]  # those that are not over, what waits for an answer first
    unknown: str  # why nothing can be said of it; empty where something can
    is_backing_up: bool  # a session that may be a backup is open
    last_backup_at: datetime | None
    due_at: datetime | None
    down_at: datetime | None
    schedule: ScheduleInfo
    paused_until: datetime | None
    muted_until: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    tags: tuple[str, ...]

    @property
    def reason(self) -> str:
        """What happened, or why nothing is known: in a word or two, where it is one of both."""
        return next((one.in_short for one in self.alarms if one.is_critical), self.unknown)


async def health_infos(
    actor: Actor, repository_ids: Sequence[int] | None = None
) -> dict[int, HealthInfo]:
    """The health of repositories that the actor may see, by id, those in the trash included."""
    query = Repository.filter(await visible_repositories(actor))
    if repository_ids is not None:
        query = query.filter(id__in=list(repository_ids))
    return await of_rows(await query, are_all=repository_ids is None)


async def of_rows(
    repositories: Sequence[Repository], *, are_all: bool = False
) -> dict[int, HealthInfo]:
    """The same of rows that the actor may see, as the caller knows; `are_all`: of everything."""
    rows = {row.id: row for row in repositories}
    now = clock.now()
    running = await running_until(None if are_all else list(rows), now)
    off = await downtimes.spans()
    tagged = RepositoryTag.all()
    if not are_all:
        tagged = tagged.filter(repository_id__in=sql.ids(rows))
    tags: dict[int, list[str]] = {}
    for one in await tagged.order_by("tag").values("repository_id", "tag"):
        tags.setdefault(one["repository_id"], []).append(one["tag"])
    known = _Known(
        running=set(running),
        tags=tags,
        alarms=await alarms.lasting_of(None if are_all else list(rows)),
        unknowns=await server_alarms.unknowns(),
        off=off,
        now=now,
    )
    return {row.id: _info(row, known) for row in rows.values()}


@dataclass(frozen=True)
class _Known:
    """What is known of all that are asked for."""

    running: set[int]
    tags: dict[int, list[str]]
    alarms: dict[int, list[AlarmInfo]]
    unknowns: Unknowns
    off: Downtimes
    now: datetime


async def health_info(actor: Actor, repository_id: int) -> HealthInfo:
    """The health of one repository that the actor may see."""
    found = (await health_infos(actor, [repository_id])).get(repository_id)
    if found is None:
        raise NotFound("There is no such repository.")
    return found


def _info(row: Repository, known: _Known) -> HealthInfo:
    now = known.now
    lasting = tuple(known.alarms.get(row.id, ()))
    unknown = known.unknowns.of(row.location_id)
    due_at = down_at = grace = problem = None
    words, description, schedule = "", "", None
    try:
        schedule = schedule_of(row)
        words, grace = schedule.in_words, schedule.grace
        view = outlook(schedule, record_of(row, known.off), now)
        due_at, down_at = view.due_at, view.down_at
        description = schedule_words.describe(schedule, due_at, now)
    except InvalidInput as error:
        problem, words, schedule = error.message, say("cannot be followed"), None
        description = words
    return HealthInfo(
        repository_id=row.id,
        state=state_of(
            row.health, is_critical=any(one.is_critical for one in lasting), unknown=unknown
        ),
        health=row.health,
        alarms=lasting,
        unknown=unknown,
        since=row.health_since or row.created_at,
        is_backing_up=row.id in known.running,
        last_backup_at=last_backups.known(row),
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
            description=description,
            schedule=schedule,
            problem=problem,
        ),
        paused_until=_if_ahead(row.paused_until, now),
        muted_until=_if_ahead(row.muted_until, now),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        tags=tuple(known.tags.get(row.id, ())),
    )


def upcoming(info: HealthInfo, count: int = 3) -> list[datetime]:
    """When the next backups are due, if each of them comes in time."""
    found: list[datetime] = []
    schedule, following = info.schedule.schedule, info.due_at
    while schedule is not None and following is not None and len(found) < count:
        found.append(following)
        following = schedule.due_after(following)
    return found


def _seconds(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _if_ahead(at: datetime | None, now: datetime) -> datetime | None:
    return at if at is not None and at > now else None
