"""Measuring repositories: after sessions, at start and once a day; each on its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from weakref import WeakValueDictionary

from hive import clock, log, long_work, memory
from hive.borg import facts, last_backup
from hive.borg.deletion import may_have_deleted
from hive.borg.facts import Kind, RepositoryFacts, Unreadable
from hive.borg.last_backup import DiskBackup
from hive.borg.observed import Observed
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError, StorageError
from hive.kinds import EndReason, EventKind
from hive.long_work import WorkKind
from hive.models import Inspection, Repository, Session, Statistic
from hive.paging import in_pages
from hive.sentences import say
from hive.services import runtime
from hive.services.alarms import alarms, rules
from hive.services.alarms.rules import Cause, Usage
from hive.services.gate import key_use
from hive.services.measurements import disk_backups, thinning
from hive.services.repositories import locks as stale_locks
from hive.services.repositories import maintenance, quotas
from hive.services.repositories.infos import place_of
from hive.services.repositories.quotas import QuotaUse
from hive.services.storage import forecast, places, sizes

logger = log.get(__name__)

_SECONDS = 3600.0  # for one repository; of borg 2 every file is looked at
_AT_LEAST_EVERY = timedelta(hours=20)
_BATCH = 500  # rows deleted in one statement
_PAGE = 500  # rows of two columns read at once
_OUR_OWN = (maintenance.ROLLING_BACK, maintenance.UNFINISHED_ROLLBACK)


@dataclass
class _Memory:
    # One look at a repository at a time, so that a later one is kept later.
    measuring: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)


async def after_session(repository_id: int, session_id: int, *, changed: bool) -> None:
    """What follows a session that has ended: what it did is measured, and its key looked at."""
    try:
        if changed:
            await measure(repository_id, session_id)
        else:
            await key_use.key_used(session_id)
            await stale_locks.clear_stale(repository_id)  # killed before it changed anything
    except (HiveError, DriverError) as error:
        logger.error("not measured", repository=repository_id, reason=str(error))


async def measure(
    repository_id: int, session_id: int | None = None, *, is_local: bool = False
) -> None:
    """Look at the repository and keep what it tells; with what a session that ended did to it.

    `is_local`: it was changed past the gate, so that what became more may have been a backup.

    A repository that cannot be measured says so in an event, once for each cause.
    """
    if session_id is not None:
        await key_use.key_used(session_id)
    async with memory.of(_Memory).measuring.setdefault(repository_id, asyncio.Lock()):
        await _measure(repository_id, session_id, is_local=is_local)


async def _measure(repository_id: int, session_id: int | None, *, is_local: bool) -> None:
    row = (
        await Repository.filter(id=repository_id, deleted_at=None)
        .select_related("location")
        .first()
    )
    if row is None or row.maintenance in _OUR_OWN or await places.look(row.location) is not None:
        return
    try:
        async with (
            asyncio.timeout(_SECONDS),
            long_work.under_way(repository_id, WorkKind.MEASURE) as work,
        ):
            found = await asyncio.to_thread(facts.read, place_of(row).repository, work.meter)
    except TimeoutError:
        if await places.is_there(repository_id, max_age=0):
            await _note_failure(repository_id, "Looking at it took longer than an hour.")
    except (Unreadable, StorageError) as error:
        if await places.is_there(repository_id, max_age=0):
            await _note_failure(repository_id, str(error))
    else:
        if await _has_less(repository_id, found) and not await places.is_there(
            repository_id, max_age=0
        ):
            return  # what is missing is the whole storage
        fullest = next(iter(await quotas.measure(repository_id)), None)
        path = place_of(row).repository
        disk = DiskBackup()
        if session_id is None:
            disk = await asyncio.to_thread(last_backup.read, path)
        await _note_facts(repository_id, session_id, found, fullest, disk, is_local=is_local)
        await stale_locks.clear_stale(repository_id)
        locks = await asyncio.to_thread(stale_locks.look, place_of(row).repository)
        await stale_locks.note(repository_id, locks)


async def _has_less(repository_id: int, found: RepositoryFacts) -> bool:
    """Whether there is less than before: then see whether it is the right storage."""
    before = await Inspection.get_or_none(repository_id=repository_id)
    known = None if before is None else before.size_bytes
    return known is not None and (found.kind == Kind.NONE or found.size_bytes < known)


async def start_over(repository_id: int) -> None:
    """Measure what the server itself has put in place: nothing of it is alarming."""
    async with memory.of(_Memory).measuring.setdefault(repository_id, asyncio.Lock()):
        row = await Repository.get(id=repository_id).select_related("location")
        try:
            found = await asyncio.to_thread(facts.read, place_of(row).repository)
        except (Unreadable, StorageError) as error:
            logger.error("not measured", repository=row.login, reason=str(error))
            return
        await _begin_with(repository_id, found)


@transactional
async def _begin_with(repository_id: int, found: RepositoryFacts) -> None:
    inspection, _ = await Inspection.get_or_create(repository_id=repository_id)
    await _keep_statistic(repository_id, inspection, found)
    await Repository.filter(id=repository_id).update(size_bytes=found.size_bytes)
    await _keep_inspection(inspection, found)


@transactional
async def _note_failure(repository_id: int, problem: str) -> None:
    inspection, _ = await Inspection.get_or_create(repository_id=repository_id)
    if inspection.problem and inspection.problem[:500] == problem[:500]:
        return
    if inspection.problem is not None:  # another cause is a new alarm
        await alarms.end(
            repository_id, EventKind.MEASURING_FAILED, say("The cause is another now.")
        )
    else:
        inspection.problem_since = clock.now()
    inspection.problem = problem
    await inspection.save()
    await alarms.begin(
        repository_id,
        EventKind.MEASURING_FAILED,
        say("The repository cannot be measured: %(problem)s", problem=problem),
        problem=problem,
    )


@transactional
async def _note_facts(
    repository_id: int,
    session_id: int | None,
    found: RepositoryFacts,
    fullest: QuotaUse | None,
    disk: DiskBackup,
    *,
    is_local: bool,
) -> None:
    inspection, _ = await Inspection.get_or_create(repository_id=repository_id)
    repository = await Repository.get(id=repository_id)
    session = None if session_id is None else await Session.get_or_none(id=session_id)
    if inspection.problem is not None:
        await alarms.end(
            repository_id, EventKind.MEASURING_FAILED, say("The repository can be measured again.")
        )
    before = _usage_before(inspection)
    is_repository = found.kind != Kind.NONE
    if before is not None or is_repository:
        await _keep_statistic(repository_id, inspection, found)
        after = _usage(found)
        is_replaced = before is not None and bool(rules.of_identity(before, after))
        if before is not None and (inspection.state != found.state or is_replaced):
            await _alarm(repository_id, session, before, after)
        repository.size_bytes = found.size_bytes if is_repository else None
        await Repository.filter(id=repository_id).update(size_bytes=repository.size_bytes)
    if before is not None and is_repository and session is None and inspection.state != found.state:
        is_local = is_local or await _is_unnoticed(repository, found)
        await disk_backups.note_change(repository_id, inspection, found, disk, is_local=is_local)
    await _check_quota(repository, session, fullest)
    await _keep_inspection(inspection, found)


async def _is_unnoticed(repository: Repository, found: RepositoryFacts) -> bool:
    """Whether it changed past the gate, and nobody has noted that yet: at start, both look."""
    if repository.known_state in (None, "", found.state):
        return False
    return not await Session.filter(repository_id=repository.id, ended_at=None).exists()


async def _check_quota(
    repository: Repository, session: Session | None, fullest: QuotaUse | None
) -> None:
    if fullest is None:
        await alarms.check_quota(repository, None)
        return
    await alarms.check_quota(
        repository,
        fullest.used_bytes,
        is_exceeded=session is not None and session.end_reason == EndReason.QUOTA,
        quota=fullest.quota.limit_bytes,
        whose=fullest.quota.whose,
    )


def _usage_before(inspection: Inspection) -> Usage | None:
    """What was measured last; None where there was no repository yet."""
    if inspection.size_bytes is None or inspection.kind in (None, Kind.NONE):
        return None
    return Usage(
        size_bytes=inspection.size_bytes,
        live_bytes=inspection.live_bytes,
        reclaimable_bytes=inspection.reclaimable_bytes,
        transaction=inspection.transaction,
        borg_id=inspection.borg_id,
        encryption=inspection.encryption,
    )


def _usage(found: RepositoryFacts) -> Usage:
    return Usage(
        size_bytes=found.size_bytes,
        live_bytes=found.live_bytes,
        reclaimable_bytes=found.reclaimable_bytes,
        transaction=found.transaction,
        borg_id=found.id,
        encryption=found.encryption,
        is_repository=found.kind != Kind.NONE,
    )


async def _alarm(repository_id: int, session: Session | None, before: Usage, after: Usage) -> None:
    limits = runtime.settings().alarms
    if session is None:
        findings = rules.of_change(before, after, limits.shrink_percent)
        findings += rules.of_identity(before, after)
    else:
        observed = Observed.of(session.observed)
        deleted = may_have_deleted(session.operation, session.bytes_removed, observed)
        cause = Cause(
            access=session.access,
            operation=session.operation,
            key_name=session.key_name,
            may_have_deleted=deleted,
            bytes_removed=session.bytes_removed,
        )
        findings = rules.of_session(before, after, cause, limits.mass_deletion_percent)
        findings += rules.of_identity(before, after)
    session_id = None if session is None else session.id
    await alarms.tell(repository_id, findings, session_id=session_id)


async def _keep_statistic(
    repository_id: int, inspection: Inspection, found: RepositoryFacts
) -> None:
    now = clock.now()
    last = await Statistic.filter(repository_id=repository_id).order_by("-at", "-id").first()
    is_same = (
        last is not None
        and inspection.state == found.state
        and last.size_bytes == found.size_bytes
        and now - last.at < _AT_LEAST_EVERY
    )
    if is_same:
        return
    await Statistic.create(
        repository_id=repository_id,
        at=now,
        size_bytes=found.size_bytes,
        live_bytes=found.live_bytes,
        reclaimable_bytes=found.reclaimable_bytes,
        segments=found.segments,
    )


async def _keep_inspection(inspection: Inspection, found: RepositoryFacts) -> None:
    now = clock.now()
    inspection.at = now
    inspection.problem = inspection.problem_since = None
    inspection.kind, inspection.state = found.kind, found.state
    inspection.version, inspection.borg_id = found.version, found.id
    inspection.encryption = found.encryption
    inspection.append_only = found.append_only
    inspection.config_quota_bytes = found.config_quota_bytes
    inspection.transaction = found.transaction
    inspection.size_bytes = found.size_bytes
    inspection.quota_use_bytes = found.quota_use_bytes
    inspection.live_bytes = found.live_bytes
    inspection.reclaimable_bytes = found.reclaimable_bytes
    inspection.objects = found.objects
    points = await sizes.points(inspection.repository_id, since=now - forecast.WINDOW)
    inspection.growth_bytes_per_week = forecast.growth_per_week(points, now)
    await inspection.save()


async def measure_all() -> None:
    """Measure every repository; one that fails does not stop the others."""
    async for rows in in_pages(Repository.filter(deleted_at=None).only("id")):
        for row in rows:
            await _measure_or_log(row.id)


async def measure_outstanding() -> int:
    """Measure what was not measured after its last change, or could not be; returns how many.

    For the start of a server: what changed while none ran is found by comparing with the disk
    (hive/services/measurements/local_changes.py), and what did not change need not be read.
    """
    count = 0
    repositories = Repository.filter(deleted_at=None).only("id", "known_state")
    async for rows in in_pages(repositories, rows=_PAGE):
        measured = Inspection.filter(repository_id__in=[row.id for row in rows], problem=None)
        states = dict(await measured.values_list("repository_id", "state"))
        for row in rows:
            if states.get(row.id) != (row.known_state or ""):
                await _measure_or_log(row.id)
                count += 1
    return count


async def _measure_or_log(repository_id: int) -> None:
    try:
        await measure(repository_id)
    except (HiveError, DriverError) as error:
        logger.error("not measured", repository=repository_id, reason=str(error))


async def thin_out() -> int:
    """Delete the measurements that are no longer kept; returns how many."""
    now = clock.now()
    removed = 0
    async for rows in in_pages(Repository.all().only("id")):
        for row in rows:
            old = Statistic.filter(repository_id=row.id, at__lt=now - thinning.KEEP_ALL)
            kept = ((one["id"], one["at"]) for one in await old.values("id", "at"))
            gone = sorted(thinning.superfluous(kept, now))
            for start in range(0, len(gone), _BATCH):
                await _delete(gone[start : start + _BATCH])
            removed += len(gone)
    return removed


@transactional
async def _delete(ids: list[int]) -> None:
    await Statistic.filter(id__in=ids).delete()
