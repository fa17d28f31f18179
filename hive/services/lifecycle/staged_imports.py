"""Imports that are staged and not in place: shown, and discarded, when asked to or when old."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hive import clock, log
from hive.background import unbroken
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import Conflict, HiveError, StorageError
from hive.kinds import EventKind, Level, Need
from hive.models import Repository, Session
from hive.sentences import Size, say
from hive.services import audit, events, runtime
from hive.services.installation import presence
from hive.services.lifecycle import imports
from hive.services.permissions import SYSTEM, Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance, quotas
from hive.services.repositories.infos import RepositoryInfo
from hive.services.storage import paths, places

logger = log.get(__name__)


@dataclass(frozen=True)
class StagedImport:
    """`since`: when something came last. `until`: when it is discarded; None: never by itself."""

    size_bytes: int
    since: datetime
    until: datetime | None


async def look(info: RepositoryInfo) -> StagedImport | None:
    """What is staged for a repository; for who may see it."""
    row = await Repository.get(id=info.id).select_related("location")
    where = repository_infos.place_of(row)
    if presence.is_away(where.root) or not await asyncio.to_thread(imports.is_staged, where):
        return None
    size = await asyncio.to_thread(paths.tree_bytes, where.staging)
    since = await _last_change(info.id, where)
    days = runtime.settings().rsync.staging_days
    return StagedImport(size, since, since + timedelta(days=days) if days else None)


async def _last_change(repository_id: int, where: paths.Place) -> datetime:
    """When the last session ended that could have brought something."""
    last = (
        await Session.filter(
            repository_id=repository_id, need=Need.IMPORT, ended_at__not_isnull=True
        )
        .order_by("-ended_at")
        .first()
    )
    if last is not None and last.ended_at is not None:
        return last.ended_at
    return datetime.fromtimestamp(where.staging.stat().st_mtime, UTC)


async def discard(actor: Actor, repository_id: int) -> int:
    """Delete what is staged, and return its size; Conflict while a session runs."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    return await unbroken(_discard(actor, repository), name="discard import")


async def _discard(actor: Actor, repository: Repository) -> int:
    where = repository_infos.place_of(repository)
    await places.require(repository.location)
    await maintenance.interrupt_upkeep(repository.id)
    await maintenance.begin(repository.id, maintenance.DISCARDING)
    try:
        if not await asyncio.to_thread(imports.is_staged, where):
            raise Conflict("No import is staged for %(name)s.", name=repository.name)
        size = await asyncio.to_thread(paths.tree_bytes, where.staging)
        await asyncio.to_thread(paths.discard_staging, where)
        await _note(actor, repository, size)
        await quotas.measure(repository.id)
    except OSError as error:
        raise StorageError(
            "The import cannot be deleted: %(strerror)s.", strerror=error.strerror
        ) from error
    finally:
        await maintenance.end(repository.id)
    return size


@transactional
async def _note(actor: Actor, repository: Repository, size: int) -> None:
    why = (
        say(
            "after %(days)s days without a change",
            days=runtime.settings().rsync.staging_days,
        )
        if actor == SYSTEM
        else say("by %(user)s", user=actor.name)
    )
    message = say("The staged import, %(size)s, was discarded %(why)s.", size=Size(size), why=why)
    await events.record(repository.id, EventKind.IMPORT_DISCARDED, message)
    await audit.record(
        actor,
        "repository.discard-import",
        audit.name_of(repository),
        size_bytes=size,
    )


async def discard_old() -> int:
    """Discard what nobody has touched for rsync.staging_days; returns how many there were."""
    days = runtime.settings().rsync.staging_days
    if not days:
        return 0
    before, discarded = clock.now() - timedelta(days=days), 0
    rows = Repository.filter(deleted_at=None).exclude(location_id__in=await places.away_ids())
    for row in await rows.select_related("location"):
        try:
            where = repository_infos.place_of(row)
            await asyncio.to_thread(paths.clear_discarded, where)
            is_staged = await asyncio.to_thread(imports.is_staged, where)
            if is_staged and await _last_change(row.id, where) < before:
                await unbroken(_discard(SYSTEM, row), name="discard old import")
                discarded += 1
        except (HiveError, DriverError, OSError) as error:
            # One repository in trouble must not keep the others.
            logger.warning("import cannot be discarded", repository=row.login, error=str(error))
    return discarded
