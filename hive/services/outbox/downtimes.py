"""When no backup could be expected: the server was off, or maintenance was announced.

The scheduler leaves a pulse. Where the last one of the server before is older than a restart
takes, the time between is a downtime. Announced maintenance is one that ends in the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock, log, memory, signals
from hive.database import after_commit, transactional
from hive.errors import InvalidInput, NotFound
from hive.kinds import DeliveryState, EventKind, Severity
from hive.models import Delivery, Downtime, Pulse
from hive.services import audit
from hive.services.outbox.kinds import DIGEST, Matter
from hive.services.permissions import Actor, require_operator

logger = log.get(__name__)

SHORTEST = timedelta(minutes=2)  # what is shorter is a restart
_LONGEST = timedelta(days=14)
_KEPT = timedelta(days=400)
_MOST = 200

# What is no news while the server is being worked on; deletions and damage are.
_HELD = frozenset(
    str(kind)
    for kind in (
        EventKind.LATE,
        EventKind.DOWN,
        EventKind.STILL_DOWN,
        EventKind.SESSION_FAILED,
        EventKind.CLIENT_FAILED,
        EventKind.CLIENT_UNPROVEN,
        EventKind.MEASURING_FAILED,
        EventKind.REFUSED_OFTEN,
        EventKind.TURNED_AWAY,
        EventKind.STALE_LOCK,
        EventKind.TRIGGER_FAILED,
        EventKind.TRIGGER_MISSED,
        EventKind.TRIGGER_OVERLAPPED,
        EventKind.UPKEEP_FAILED,
        EventKind.STORAGE_UNAVAILABLE,
        EventKind.PROGRAM_UNUSABLE,
        EventKind.DATABASE_IN_TROUBLE,
        EventKind.CLOCK_JUMPED,
        EventKind.CHANNEL_FAILING,
        EventKind.DISK_FILLING,
    )
)


@dataclass(frozen=True, kw_only=True)
class MaintenanceInfo:
    begun_at: datetime
    until: datetime
    by: str


@dataclass
class _Memory:
    announced: MaintenanceInfo | None = None


@dataclass(frozen=True)
class Span:
    begun_at: datetime
    ended_at: datetime
    is_announced: bool


async def note_start() -> Span | None:
    """Call when the server starts: the downtime that ends now, if there was one."""
    now = clock.now()
    last = await Pulse.first()
    found = None
    if last is not None and now - last.at >= SHORTEST:
        found = Span(last.at, now, is_announced=False)
        logger.warning("the server was off", since=clock.rfc3339(last.at))
    await _store(found, now)
    return found


@transactional
async def _store(found: Span | None, now: datetime) -> None:
    if found is not None:
        await Downtime.create(begun_at=found.begun_at, ended_at=found.ended_at)
    await Downtime.filter(ended_at__lt=now - _KEPT).delete()
    await _beat(now)


async def pulse() -> None:
    """Note that the server lives; the scheduler calls it."""
    await _store(None, clock.now())
    _show(await announced())


async def _beat(now: datetime) -> None:
    if not await Pulse.filter(id=1).update(at=now):
        await Pulse.create(id=1, at=now)


async def spans() -> tuple[tuple[datetime, datetime], ...]:
    """The newest downtimes, oldest first, as schedules take them; one query."""
    now = clock.now()
    rows = await Downtime.all().order_by("-ended_at").limit(_MOST)
    return tuple(
        (row.begun_at, row.ended_at)
        for row in reversed(rows)
        # one that was noted while the clock was ahead excuses nothing
        if row.ended_at <= now or row.announced_by is not None
    )


def shown() -> MaintenanceInfo | None:
    """The same as this process last knew it, at most half a minute ago; for every page."""
    found = memory.of(_Memory).announced
    return found if found is not None and found.until > clock.now() else None


async def announced() -> MaintenanceInfo | None:
    """The maintenance that is going on now."""
    now = clock.now()
    rows = Downtime.filter(begun_at__lte=now, ended_at__gt=now, announced_by__not_isnull=True)
    row = await rows.order_by("-ended_at").first()
    return (
        None
        if row is None
        else MaintenanceInfo(begun_at=row.begun_at, until=row.ended_at, by=row.announced_by or "")
    )


async def held_until(matter: Matter, now: datetime) -> datetime | None:
    """Until when a matter waits because maintenance was announced."""
    kinds = {matter.kind, *matter.ends}
    if matter.kind == DIGEST or not kinds & _HELD or matter.severity == Severity.INFO:
        return None
    found = await announced()
    return None if found is None or found.until <= now else found.until


@transactional
async def announce(actor: Actor, length: timedelta) -> MaintenanceInfo:
    """Begin maintenance now: until it is over, nothing is reported as missing."""
    require_operator(actor)
    if not timedelta(minutes=1) <= length <= _LONGEST:
        raise InvalidInput("Maintenance lasts between a minute and 14 days: 4h, 90m.", field="for")
    now = clock.now()
    await _end_announced(now)
    until = now + length
    await Downtime.create(begun_at=now, ended_at=until, announced_by=actor.name)
    await audit.record(actor, "maintenance.begin", "the server", until=clock.rfc3339(until))
    info = MaintenanceInfo(begun_at=now, until=until, by=actor.name)
    after_commit(lambda: _show(info))
    return info


@transactional
async def end(actor: Actor) -> None:
    """End the maintenance now; what was held back is sent."""
    require_operator(actor)
    found = await announced()
    if found is None:
        raise NotFound("No maintenance is announced.")
    now = clock.now()
    await _end_announced(now)
    held = Delivery.filter(state=DeliveryState.WAITING, attempts=0, next_at=found.until)
    await held.update(next_at=now)
    await audit.record(actor, "maintenance.end", "the server")
    after_commit(lambda: signals.tell(signals.DeliveriesWaiting()))
    after_commit(lambda: _show(None))


def _show(info: MaintenanceInfo | None) -> None:
    memory.of(_Memory).announced = info


async def _end_announced(now: datetime) -> None:
    rows = Downtime.filter(announced_by__not_isnull=True, ended_at__gt=now)
    await rows.filter(begun_at__lte=now).update(ended_at=now)
