"""Whether each repository's backups come as its schedule wants: looked at, changed, told.

A change is a compare-and-set on the repository's row, a row of its history and an event, in one
transaction. The row says when the next look is due (`look_at`), so that a look at all of
them is one query by index. hive/schedule.py says what is late; hive/services/health/schedules.py
is what people do about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tortoise.expressions import Q

from hive import clock, log, sql
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import Conflict, HiveError, InvalidInput
from hive.kinds import Access, EventKind, Health, Need, ScheduleKind, Source
from hive.models import HealthChange, Location, Repository, Session, User
from hive.schedule import Downtimes, Outlook, Record, Schedule, outlook
from hive.sentences import join, say
from hive.services import events, runtime
from hive.services.alarms import alarms
from hive.services.clock import last_backups, trust
from hive.services.health import causes, days
from hive.services.health.wording import HealthReport
from hive.services.installation import presence
from hive.services.outbox import downtimes, reminders
from hive.services.permissions import Actor, visible_repositories

logger = log.get(__name__)

TROUBLES = (Health.LATE, Health.DOWN)
_WHEN_BROKEN = timedelta(hours=1)
_TRIES = 3
# What a row can do that somebody else wrote: its values may be none of ours.
_ROW_ERRORS = (HiveError, DriverError, ValueError, TypeError, ArithmeticError, LookupError)


async def review_due() -> int:
    """Look at the repositories that are due, each on its own; how many of them changed.

    None while the clock cannot be trusted: what it calls late may not be.
    """
    due = Repository.filter(look_at__lte=clock.now(), deleted_at=None)
    due = due.exclude(location_id__in=list(presence.away()))
    changed = 0
    ids = await due.order_by("look_at").values_list("id", flat=True)
    if not ids or not await trust.is_trusted():
        return 0
    for repository_id in ids:
        changed += await _look(int(repository_id))  # type: ignore[call-overload]  # values_list is untyped
    return changed


async def _look(repository_id: int) -> bool:
    try:
        return await review(repository_id)
    except _ROW_ERRORS as error:
        logger.error("health cannot be determined", repository=repository_id, reason=str(error))
        try:
            await _tell_broken(repository_id, "what the database says of it cannot be read")
        except _ROW_ERRORS as again:
            logger.error("cannot be put off", repository=repository_id, reason=str(again))
        return False


async def look_at_unseen() -> None:
    """Have those looked at soon that never were; call at start."""
    unseen = Repository.filter(health_since=None, look_at=None, deleted_at=None)
    await unseen.update(look_at=clock.now())


@transactional
async def look_at_all() -> None:
    """Have all looked at soon: the clock was corrected, so that their times may be far ahead."""
    await Repository.filter(deleted_at=None).update(look_at=clock.now())


@transactional
async def note_backup(
    repository_id: int, at: datetime, *, session_id: int | None = None, is_estimated: bool = False
) -> None:
    """A complete archive was made: the last backup only moves ahead, but by `correct_backup`.

    Never beyond now, whatever the clock said when it was made; a former one that lies in the
    future is older for that. `is_estimated` where the disk alone tells.
    """
    now = clock.now()
    at = min(at, now, trust.estimated())
    row = await Repository.get_or_none(id=repository_id)
    due_at = row.due_at if row is not None else None
    await days.note_made(repository_id, at, is_late=due_at is not None and at > due_at)
    older = Q(last_backup_at=None) | Q(last_backup_at__lt=at) | Q(last_backup_at__gt=now)
    await Repository.filter(older, id=repository_id).update(
        last_backup_at=at, last_backup_is_estimated=is_estimated
    )
    await review(repository_id, session_id=session_id)


@transactional
async def correct_backup(repository_id: int, at: datetime | None, *, is_estimated: bool) -> None:
    """The last backup that is still there, after newer ones were undone or brought back."""
    await Repository.filter(id=repository_id).update(
        last_backup_at=at, last_backup_is_estimated=is_estimated
    )
    await days.correct(repository_id, at)
    await review(repository_id)


@transactional
async def storage_returned(location_id: int) -> None:
    """The storage of a location is back: look at its repositories again."""
    rows = Repository.filter(location_id=location_id, deleted_at=None)
    await rows.update(look_at=clock.now())


@transactional
async def preference_changed(user_id: int) -> None:
    """Reminders follow the preference of each person; call where one was changed."""
    user = await User.get(id=user_id)
    actor = Actor(user.id, user.name, role=user.role, source=Source.SYSTEM)
    visible = Repository.filter(await visible_repositories(actor))
    rows = visible.filter(health=Health.DOWN, deleted_at=None).distinct()
    for repository_id in await rows.values_list("id", flat=True):
        await review(int(repository_id))  # type: ignore[call-overload]  # values_list is untyped


@transactional
async def restored(repository_id: int) -> None:
    """Back from the trash, where no backup could reach it: expect the next one from now on."""
    row = await Repository.get(id=repository_id)
    now = clock.now()
    if row.paused_until is None or row.paused_until < now:
        await Repository.filter(id=repository_id).update(paused_until=now)
    await review(repository_id)


@transactional
async def review(
    repository_id: int, *, session_id: int | None = None, by: str | None = None
) -> bool:
    """Bring the health of one repository up to date and tell of what changed; whether it did.

    `session_id` caused it, or somebody called `by`. A schedule that cannot be read is reported.
    While the clock cannot be trusted, everything stays as it is.
    """
    if not await trust.is_trusted():
        return False
    for _ in range(_TRIES):
        row = await Repository.get_or_none(id=repository_id, deleted_at=None)
        if row is None:
            return False
        if presence.words(row.location_id) is not None:
            # nothing is known of it: it is looked at when its storage is back
            await Repository.filter(id=repository_id).update(look_at=clock.now())
            return False
        try:
            found = await _look_closely(row)
        except InvalidInput as error:
            await _tell_broken(repository_id, error.message)
            return False
        if await _write(row, found):
            await alarms.end(
                repository_id, EventKind.SCHEDULE_BROKEN, say("The schedule can be read again.")
            )
            await days.note_trouble(row, found.situation.outlook, found.situation.now)
            await _tell(row, found, session_id, by)
            return found.situation.outlook.health != row.health
    raise Conflict("The repository's health is being changed by someone else. Try again.")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a look at a row came to."""

    situation: HealthReport
    values: dict[str, Any]  # of the row, from now on
    muted: bool
    tells_down: bool  # though its health is what it was: the mute is over, or a reminder is due
    first: bool  # it was not told of before


async def _look_closely(row: Repository) -> _Found:
    now = clock.now()
    schedule = schedule_of(row)
    view = await _outlook(row, schedule, now)
    changed = view.health != row.health
    muted = row.muted_until is not None and now < row.muted_until
    told_at = row.alerted_at if view.health == row.health else None
    acknowledged = row.acknowledged_at is not None and not changed
    tells_down = False
    remind_at = None
    if view.health == Health.DOWN and not muted and not acknowledged:
        unmuted = row.muted_until is not None
        due = row.remind_at is not None and row.remind_at <= now
        tells_down = not changed and (told_at is None or unmuted or due)
        told_at = told_at or now
        remind_at = await reminders.next_at(row.id, row.owner_id, told_at, now)
    mute_ends = row.muted_until if muted and view.health == Health.DOWN else None
    values = {
        "health": view.health,
        "health_since": now if changed or row.health_since is None else row.health_since,
        "due_at": view.due_at,
        "look_at": min(filter(None, (view.look_at, remind_at, mute_ends)), default=None),
        "alerted_at": told_at if view.health == Health.DOWN else None,
        "remind_at": remind_at,
        "muted_until": row.muted_until if muted else None,
        "missing_at": days.missing_at(row, schedule, view, now),
        **({"acknowledged_at": None, "acknowledged_by": None} if changed else {}),
    }
    situation = HealthReport(
        schedule=schedule,
        outlook=view,
        created_at=row.created_at,
        last_backup_at=last_backups.known(row),
        former=row.health,
        since=row.health_since or row.created_at,
        was_due_at=row.due_at,
        now=now,
    )
    return _Found(
        situation=situation,
        values=values,
        muted=muted,
        tells_down=tells_down,
        first=row.alerted_at is None,
    )


def schedule_of(row: Repository) -> Schedule:
    """The schedule of a repository; InvalidInput where the row holds none that can be one."""
    seconds = row.schedule_seconds
    return Schedule(
        kind=ScheduleKind(row.schedule_kind),
        interval=None if seconds is None else timedelta(seconds=seconds),
        cron=row.schedule_cron,
        timezone=row.schedule_timezone,
        grace=grace_of(row),
    )


def grace_of(row: Repository) -> timedelta:
    """Its own grace period, or that of the settings."""
    if row.grace_seconds is not None:
        return timedelta(seconds=row.grace_seconds)
    return timedelta(minutes=runtime.settings().schedules.default_grace_minutes)


def record_of(row: Repository, downtimes: Downtimes = ()) -> Record:
    """What its schedule is held against; of `downtimes.spans()` those that may matter.

    A backup that is gone is none.
    """
    begun_at = max(filter(None, (row.created_at, row.emptied_at)))
    last = last_backups.known(row)
    later = tuple(one for one in downtimes if one[1] > (last or begun_at))
    return Record(
        created_at=begun_at, last_backup_at=last, paused_until=row.paused_until, downtimes=later
    )


async def _outlook(row: Repository, schedule: Schedule, now: datetime) -> Outlook:
    record = record_of(row, await downtimes.spans())
    view = outlook(schedule, record, now)
    if view.health != Health.DOWN or row.health == Health.DOWN:
        return view
    running = await running_until([row.id], now)
    location = await Location.get(id=row.location_id)
    record = replace(
        record,
        running_until=running.get(row.id),
        reachable_since=location.returned_at,
    )
    return outlook(schedule, record, now)


async def running_until(repository_ids: list[int] | None, now: datetime) -> dict[int, datetime]:
    """Until when sessions that are open may be a backup, for each repository that has one.

    One that only mounts, lists or checks is none: `record.note_reading` says so.
    """
    limit = timedelta(hours=runtime.settings().schedules.running_hours)
    query = Session.filter(
        ended_at=None, need=Need.BORG, only_reads=False, started_at__gt=now - limit
    )
    if repository_ids is not None:
        query = query.filter(repository_id__in=sql.ids(repository_ids))
    rows = query.exclude(access=Access.READ_ONLY).order_by("started_at")
    return {
        row["repository_id"]: row["started_at"] + limit
        for row in await rows.values("repository_id", "started_at")
    }


async def _write(row: Repository, found: _Found) -> bool:
    """Compare and set; False where somebody else was faster."""
    unchanged = Repository.filter(
        id=row.id,
        health=row.health,
        look_at=row.look_at,
        last_backup_at=row.last_backup_at,
        deleted_at=None,
    )
    return await unchanged.update(**found.values) == 1


async def _tell(row: Repository, found: _Found, session_id: int | None, by: str | None) -> None:
    now = found.situation
    if now.outlook.health != row.health:
        await HealthChange.create(
            repository_id=row.id,
            at=now.now,
            former=row.health,
            health=now.outlook.health,
            lasted_seconds=int(now.lasted.total_seconds()),
        )
    for kind, message, muted in _sayings(found, by):
        extra: dict[str, Any] = {"muted": True} if muted else {}
        if kind in (EventKind.DOWN, EventKind.STILL_DOWN):
            found_causes = await causes.of_missing(row, now.outlook.due_at, now.now)
            extra |= {"causes": found_causes} if found_causes else {}
        if kind == EventKind.STILL_DOWN:
            extra |= {"alerted_at": clock.rfc3339(found.values["alerted_at"])}
        words = join(message, *extra.get("causes", ()))
        await events.record(row.id, kind, words, session_id=session_id, **now.details(), **extra)


def _sayings(found: _Found, by: str | None) -> list[tuple[EventKind, str, bool]]:
    """What to notify of: the kind, the words, and whether they are for the record only."""
    situation = found.situation
    former, health = situation.former, situation.outlook.health
    if found.tells_down and found.first:
        return [(EventKind.DOWN, situation.down(), False)]
    if found.tells_down:
        return [(EventKind.STILL_DOWN, situation.still_down(), False)]
    if former == health:
        return []
    said = []
    if former == Health.PAUSED:
        said.append((EventKind.RESUMED, situation.resumed(by), False))
    if health == Health.LATE:
        said.append((EventKind.LATE, situation.late(), found.muted))
    elif health == Health.DOWN:
        said.append((EventKind.DOWN, situation.down(), found.muted))
    elif health in (Health.FINE, Health.NEW, Health.UNWATCHED) and former in TROUBLES:
        # people who were notified of the problem are notified of its end, muted or not
        said.append((EventKind.RECOVERED, situation.recovered(), found.muted and found.first))
    return said


@transactional
async def _tell_broken(repository_id: int, problem: str) -> None:
    """Tell once that a schedule cannot be followed, and look again later."""
    later = clock.now() + _WHEN_BROKEN
    await Repository.filter(id=repository_id).update(look_at=later, due_at=None)
    logger.error("the schedule is broken", repository=repository_id, reason=problem)
    await alarms.begin(
        repository_id,
        EventKind.SCHEDULE_BROKEN,
        say(
            "The schedule cannot be followed, so missing backups are not reported: %(problem)s",
            problem=problem,
        ),
        problem=problem,
    )


async def estimate_backup(repository_id: int, written_at: datetime | None) -> None:
    """What the disk tells of a repository that was imported or adopted; never in the future."""
    if written_at is not None:
        at = min(written_at, clock.now())
        await note_backup(repository_id, at, is_estimated=True)
