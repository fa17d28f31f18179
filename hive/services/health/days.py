"""What became of each repository's backups, half hour by half hour: kept as it happens.

A day is the reader's, and readers are in many time zones: so no day is kept, but when something
happened, as one bit for each half hour of UTC. That is one small row for each repository and day,
whatever its history, and hive/services/health/strips.py makes days of any time zone of it. (Of
the zones at a quarter of an hour, what happens in the quarter around midnight may be a day off.)

made    a backup ended
late    a backup ended after it was due
due     one was due and not there; again each time that one is due, as long as it is missing
failed  a session that wrote ended, and not well
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from hive import clock, sql
from hive.database import transactional
from hive.kinds import ArchiveCreated, EventKind, Health
from hive.models import BackupDay, Event, HealthChange, Repository, Session
from hive.schedule import Outlook, Schedule

KEPT = timedelta(days=100)  # longer than any strip is
SLOT = timedelta(minutes=30)
_HALF_A_DAY = timedelta(hours=12)
_TROUBLES = (Health.LATE, Health.DOWN)

# The columns of a row that a moment is kept in.
_DUE = ("due",)
_FAILED = ("failed",)


def slot_of(at: datetime) -> tuple[int, int]:
    """The day of UTC, as `date.toordinal` counts, and the bit of the half hour."""
    local = at.astimezone(UTC)
    return local.toordinal(), 1 << (local.hour * 2 + local.minute // 30)


async def note_made(repository_id: int, at: datetime, *, is_late: bool) -> None:
    """A backup ended; `is_late`: after it was due."""
    await _note(repository_id, [(at, _backup(is_late=is_late))])


async def note_failed(repository_id: int, at: datetime) -> None:
    """A session that wrote ended, and not well."""
    await _note(repository_id, [(at, _FAILED)])


async def note_due(repository_id: int, at: datetime) -> None:
    """A backup was due and is not there."""
    await _note(repository_id, [(at, _DUE)])


def _backup(*, is_late: bool) -> tuple[str, ...]:
    return ("made", "late") if is_late else ("made",)


@transactional
async def _note(repository_id: int, moments: Iterable[tuple[datetime, tuple[str, ...]]]) -> None:
    """Add moments to the columns named with them; each day is read and written once."""
    bits: dict[int, Counter[str]] = {}
    since = clock.now() - KEPT
    for at, columns in moments:
        if at >= since:
            day, bit = slot_of(at)
            of_day = bits.setdefault(day, Counter())
            for column in columns:
                of_day[column] |= bit
    there = BackupDay.filter(repository_id=repository_id, day__in=list(bits))
    rows = {row.day: row for row in await there} if bits else {}
    for day, row in rows.items():
        for column, added in bits.pop(day).items():
            setattr(row, column, getattr(row, column) | added)
        await row.save()
    await BackupDay.bulk_create(
        BackupDay(repository_id=repository_id, day=day, **of_day) for day, of_day in bits.items()
    )


@transactional
async def correct(repository_id: int, last_at: datetime | None) -> None:
    """Backups were undone or brought back; `last_at`: the last one that is there."""
    rows = BackupDay.filter(repository_id=repository_id)
    if last_at is None:
        await rows.update(made=0, late=0)
        return
    day, bit = slot_of(last_at)
    await rows.filter(day__gt=day).update(made=0, late=0)
    for row in await rows.filter(day=day):
        row.made &= (bit << 1) - 1
        row.late &= (bit << 1) - 1
        await row.save()
    there = await made(repository_id, clock.now() - KEPT)
    backup = _backup(is_late=False)
    await _note(repository_id, [(at, backup) for at in there if at <= last_at])


async def made(repository_id: int, since: datetime) -> list[datetime]:
    """When sessions since then have made backups that are still there."""
    sessions = Session.filter(
        repository_id=repository_id,
        archive_created=ArchiveCreated.YES,
        undone_at=None,
        started_at__gte=since,
    )
    rows = await sessions.exclude(ended_at=None).order_by("ended_at").values("ended_at")
    return [row["ended_at"] for row in rows]


async def made_of(repository_ids: Sequence[int], since: datetime) -> dict[int, list[datetime]]:
    """In which half hours backups ended, oldest first, by repository; in one query."""
    rows = BackupDay.filter(repository_id__in=sql.ids(repository_ids), day__gte=since.toordinal())
    found: dict[int, list[datetime]] = {}
    columns = ("repository_id", "day", "made")
    for repository, day, bits in await rows.order_by("day").values_list(*columns):
        midnight = datetime.fromordinal(day).replace(tzinfo=UTC)
        times = [midnight + slot * SLOT for slot in range(48) if bits >> slot & 1]
        found.setdefault(repository, []).extend(times)
    return found


def due_again(schedule: Schedule, due_at: datetime, now: datetime) -> datetime | None:
    """When a backup that was due at `due_at` and is missing is due once more.

    Of one that is due more often than twice a day, every half day is enough for a strip of days.
    """
    if schedule.interval is not None:
        count = (now - due_at) // schedule.interval + 1
        after = due_at + count * schedule.interval
        return after if schedule.interval >= _HALF_A_DAY else now + _HALF_A_DAY
    first = schedule.due_after(now)
    second = schedule.due_after(first) if first is not None else None
    if first is not None and second is not None and second - first < _HALF_A_DAY:
        return schedule.due_after(now + _HALF_A_DAY - (second - first))
    return first


def missing_at(
    row: Repository, schedule: Schedule, view: Outlook, now: datetime
) -> datetime | None:
    """What belongs into a repository's row where a look came to this: see `missing.py`."""
    if view.health not in _TROUBLES or view.due_at is None:
        return None
    if row.health in _TROUBLES and row.missing_at is not None:
        return row.missing_at
    return due_again(schedule, view.due_at, now)


async def note_trouble(row: Repository, view: Outlook, now: datetime) -> None:
    """A look at a repository came to this; where trouble begins, a backup was due.

    When it was due, unless nobody looked by then.
    """
    if row.health not in _TROUBLES and view.health in _TROUBLES and view.due_at is not None:
        was_just_now = now - view.due_at < timedelta(days=1)
        await note_due(row.id, view.due_at if was_just_now else now)


async def forget_old() -> int:
    """Delete the days that no strip shows any more; how many."""
    before, _ = slot_of(clock.now() - KEPT)
    return await BackupDay.filter(day__lt=before).delete()


@transactional
async def draw_up(repository_id: int) -> None:
    """Fill in the days of a repository from its sessions, as far as they tell.

    For those whose history is from before days were kept, and for what was put into the database
    by others.
    """
    since = clock.now() - KEPT
    changes = await HealthChange.filter(repository_id=repository_id, at__gte=since).order_by("at")
    spells = _spells([(row.at, row.health) for row in changes])
    moments: list[tuple[datetime, tuple[str, ...]]] = []
    for begun_at, ended_at in spells:
        at = begun_at
        while at < min(ended_at, clock.now()):
            moments.append((at, _DUE))
            at += timedelta(days=1)
    for at in await made(repository_id, since):
        is_late = any(begun_at <= at <= ended_at for begun_at, ended_at in spells)
        moments.append((at, _backup(is_late=is_late)))
    failures = Event.filter(
        repository_id=repository_id, kind=EventKind.SESSION_FAILED, at__gte=since
    )
    moments += [(row["at"], _FAILED) for row in await failures.values("at")]
    await _note(repository_id, moments)
    await Repository.filter(id=repository_id).update(days_known=True)


def _spells(changes: list[tuple[datetime, Health]]) -> list[tuple[datetime, datetime]]:
    """From when to when a backup was missing."""
    found = []
    begun_at: datetime | None = None
    for at, health in changes:
        if health in _TROUBLES and begun_at is None:
            begun_at = at
        elif health not in _TROUBLES and begun_at is not None:
            found.append((begun_at, at))
            begun_at = None
    if begun_at is not None:
        found.append((begun_at, datetime.max.replace(tzinfo=UTC)))
    return found
