"""What people do about a repository's health: its schedule, pauses, mutes, acknowledgement.

All of it takes the right to manage the repository, and is audited.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hive import clock
from hive.database import transactional
from hive.deadlines import require_future
from hive.errors import Conflict, InvalidInput
from hive.kinds import EventKind, Level, Mode, ScheduleKind
from hive.models import Repository, User
from hive.schedule import Schedule, check_grace, check_timezone
from hive.sentences import N_, say
from hive.services import audit, events, versions
from hive.services.health import review
from hive.services.permissions import Actor, repository_for

MAX_SPAN = timedelta(days=366)
DEFAULT = timedelta(days=1)  # how often backups are expected where nothing else is said


@dataclass(frozen=True, kw_only=True)
class ScheduleChange:
    """What is to change; what is not given stays."""

    every: timedelta | None = None
    cron: str | None = None
    timezone: str | None = None  # of `cron`; else the one it had, else its owner's
    no_schedule: bool = False
    grace: timedelta | None = None
    default_grace: bool = False  # as the settings say

    @property
    def is_nothing(self) -> bool:
        return self == ScheduleChange()

    @property
    def names_schedule(self) -> bool:
        """Whether it says when backups are expected, or that none are."""
        return self.every is not None or self.cron is not None or self.no_schedule


def with_default(change: ScheduleChange, mode: Mode) -> ScheduleChange:
    """What a new repository begins with: watched, unless it is there for rsync alone."""
    if change.names_schedule or mode != Mode.BORG:
        return change
    return replace(change, every=DEFAULT)


@transactional
async def set_schedule(actor: Actor, repository_id: int, change: ScheduleChange) -> None:
    """Change when backups are expected; the health follows at once."""
    row = await repository_for(actor, repository_id, Level.MANAGE)
    before = _audited(row)
    ways = [change.every is not None, change.cron is not None, change.no_schedule]
    if sum(ways) > 1:
        raise InvalidInput("A schedule is an interval or a cron expression or none: give one.")
    if change.grace is not None and change.default_grace:
        raise InvalidInput("Give a grace period, or use the one from the settings: not both.")
    if change.no_schedule:
        _store(row, Schedule(kind=ScheduleKind.NONE))
    elif change.every is not None:
        _store(row, Schedule(kind=ScheduleKind.INTERVAL, interval=change.every))
    if change.cron is not None or change.timezone is not None:
        _store(row, await _by_cron(row, change))
    if change.grace is not None:
        check_grace(change.grace)
        row.grace_seconds = int(change.grace.total_seconds())
    elif change.default_grace:
        row.grace_seconds = None
    await row.save(update_fields=versions.SCHEDULE)
    await _audit(actor, row, "schedule", **audit.changes(before, _audited(row)))
    await review.review(row.id, by=actor.name)


def _audited(row: Repository) -> dict[str, object]:
    try:
        words = str(review.schedule_of(row).in_words)
    except InvalidInput:  # what is stored there was never one
        words = "cannot be followed"
    return {
        "schedule": words,
        "cron": row.schedule_cron,
        "timezone": row.schedule_timezone,
        "grace_seconds": int(review.grace_of(row).total_seconds()),
    }


def _store(row: Repository, schedule: Schedule) -> None:
    seconds = schedule.interval and int(schedule.interval.total_seconds())
    row.update_from_dict(
        {
            "schedule_kind": schedule.kind,
            "schedule_seconds": seconds,
            "schedule_cron": schedule.cron,
            "schedule_timezone": schedule.timezone,
        }
    )


async def _by_cron(row: Repository, change: ScheduleChange) -> Schedule:
    had_cron = row.schedule_kind == ScheduleKind.CRON
    cron = change.cron or (row.schedule_cron if had_cron else None)
    if change.cron is None and (not had_cron or change.every is not None):
        raise InvalidInput("A time zone belongs to a cron expression.", field="timezone")
    zone = change.timezone or (row.schedule_timezone if had_cron else None)
    if zone is None:
        owner = await User.get(id=row.owner_id)
        zone = owner.timezone or "UTC"
    check_timezone(zone)
    fields = " ".join((cron or "").split())
    return Schedule(kind=ScheduleKind.CRON, cron=fields, timezone=zone)


async def watch(actor: Actor, repository_id: int, every: timedelta | None = None) -> None:
    """Expect backups from now on; every day where no interval is given."""
    await set_schedule(actor, repository_id, ScheduleChange(every=every or DEFAULT))


@dataclass(frozen=True, kw_only=True)
class _Silence:
    """One of the two reasons why nobody hears of a missing backup until a time."""

    column: str
    begun: EventKind
    begin: str  # for the audit log
    end: str
    not_begun: str  # what is said to whoever ends one that there is not


_PAUSE = _Silence(
    column="paused_until",
    begun=EventKind.PAUSED,
    begin="pause",
    end="resume",
    not_begun=N_("%(name)s is not paused."),
)
_MUTE = _Silence(
    column="muted_until",
    begun=EventKind.MUTED,
    begin="mute",
    end="unmute",
    not_begun=N_("%(name)s is not muted."),
)


@transactional
async def pause(actor: Actor, repository_id: int, until: datetime) -> None:
    """Expect no backup until then; it resumes by itself."""
    message = say(
        "Paused by %(name)s until %(until)s: no backup is expected until then.",
        name=actor.name,
        until=until,
    )
    await _begin(_PAUSE, actor, repository_id, until, message)


@transactional
async def resume(actor: Actor, repository_id: int) -> None:
    """End a pause before its time."""
    await _end(_PAUSE, actor, repository_id)
    await review.review(repository_id, by=actor.name)


@transactional
async def mute(actor: Actor, repository_id: int, until: datetime) -> None:
    """Notify nobody of a missing backup until then; if it is still missing, notify then."""
    message = say("Muted by %(name)s until %(until)s.", name=actor.name, until=until)
    await _begin(_MUTE, actor, repository_id, until, message)


@transactional
async def unmute(actor: Actor, repository_id: int) -> None:
    """End a mute before its time."""
    await _end(_MUTE, actor, repository_id)
    await review.review(repository_id)


async def _begin(
    silence: _Silence, actor: Actor, repository_id: int, until: datetime, message: str
) -> None:
    row = await repository_for(actor, repository_id, Level.MANAGE)
    _check_until(until)
    await Repository.filter(id=row.id).update(**{silence.column: until})
    await events.record(row.id, silence.begun, message, until=clock.rfc3339(until), by=actor.name)
    former = getattr(row, silence.column)
    changed = audit.changes({"until": former}, {"until": until})
    await _audit(actor, row, silence.begin, **changed)
    await review.review(row.id)


async def _end(silence: _Silence, actor: Actor, repository_id: int) -> None:
    row = await repository_for(actor, repository_id, Level.MANAGE)
    now = clock.now()
    until: datetime | None = getattr(row, silence.column)
    if until is None or until <= now:
        raise Conflict(silence.not_begun, name=row.name)
    await Repository.filter(id=row.id).update(**{silence.column: now})
    await _audit(actor, row, silence.end)


@transactional
async def acknowledge(actor: Actor, repository_id: int) -> None:
    """Somebody knows of the missing backup: no reminders, until the health changes."""
    row = await repository_for(actor, repository_id, Level.MANAGE)
    if row.health not in review.TROUBLES:
        raise Conflict(
            "%(name)s is %(health)s: there is no missing backup to acknowledge.",
            name=row.name,
            health=row.health,
        )
    if row.acknowledged_at is not None:
        raise Conflict(
            "%(acknowledged_by)s has acknowledged this already.",
            acknowledged_by=row.acknowledged_by,
        )
    await Repository.filter(id=row.id).update(
        acknowledged_at=clock.now(), acknowledged_by=actor.name
    )
    message = say("%(name)s knows that a backup is missing: no more reminders.", name=actor.name)
    await events.record(row.id, EventKind.ACKNOWLEDGED, message, by=actor.name)
    await _audit(actor, row, "acknowledge")
    await review.review(row.id)


@transactional
async def acknowledge_all(actor: Actor, repository_ids: Collection[int]) -> int:
    """The same for many; how many. Where somebody was faster, nothing is left to do."""
    count = 0
    for repository_id in repository_ids:
        try:
            await acknowledge(actor, repository_id)
        except Conflict:
            continue
        count += 1
    return count


def _check_until(until: datetime) -> None:
    require_future(until, field="until")
    if until > clock.now() + MAX_SPAN:
        raise InvalidInput(
            "That is too far away: it ends within 366 days. A repository that expects no backups"
            " needs no schedule.",
            field="until",
        )


async def _audit(actor: Actor, row: Repository, action: str, **details: object) -> None:
    await audit.record(actor, f"repository.{action}", audit.name_of(row), **details)
