"""The trash: deleting moves a repository there, restoring brings it back, time empties it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hive import clock, log
from hive.background import unbroken
from hive.database import transactional
from hive.errors import Conflict, HiveError, NotFound, StorageError
from hive.kinds import EventKind, Level, TrashReason
from hive.models import Repository, Session, TrashEntry
from hive.sentences import say
from hive.services import audit, events
from hive.services.clock import trust
from hive.services.health import review
from hive.services.installation import presence
from hive.services.permissions import Actor, manageable_ids, repository_for
from hive.services.reports import logs
from hive.services.repositories import catalogue, maintenance
from hive.services.repositories import infos as repository_infos
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from hive.services.storage import paths, places

logger = log.get(__name__)

_END_SECONDS = 60.0


@dataclass(frozen=True)
class Deleted:
    """Where a deleted repository went, and until when it can be restored."""

    name: str
    login: str
    path: Path | None
    until: datetime


@dataclass(frozen=True)
class Trashed:
    """A repository in the trash."""

    repository: RepositoryInfo
    until: datetime  # what is in the trash longer is deleted for good
    may_restore: bool


async def list_trash(actor: Actor) -> list[Trashed]:
    """What the actor may see in the trash, the last deleted first."""
    found = await catalogue.list_repositories(actor, deleted=True)
    manageable = await manageable_ids(actor, [info.id for info in found])
    return [
        Trashed(
            info,
            (info.deleted_at or clock.now()) + kept_for(),
            info.id in manageable,
        )
        for info in sorted(found, key=lambda one: one.deleted_at or clock.now(), reverse=True)
    ]


def kept_for() -> timedelta:
    return paths.kept_for()


async def delete_repository(actor: Actor, repository_id: int) -> Deleted:
    """End its sessions and move the repository to the trash of its storage root."""
    return await unbroken(_delete(actor, repository_id), name="delete repository")


async def _delete(actor: Actor, repository_id: int) -> Deleted:
    await catalogue.require_manage(actor, repository_id)
    await places.require_for(repository_id)
    await maintenance.interrupt_upkeep(repository_id)
    await catalogue.mark_deleted(actor, repository_id)
    try:
        await record.wait_until_closed(repository_id, seconds=_END_SECONDS)
    except Conflict as error:
        raise Conflict(
            "The repository is deleted, but a session on it is still open: its directory goes to"
            " the trash as soon as the server has closed that."
        ) from error
    repository = await Repository.get(id=repository_id).select_related("location")
    path = await _clear_away(repository)
    return Deleted(repository.name, repository.login, path, clock.now() + kept_for())


async def _clear_away(repository: Repository) -> Path | None:
    """Move a deleted repository's directory to the trash; None where it has none."""
    where = repository_infos.place_of(repository)
    if not where.home.exists():
        return None
    entry = await _newest_entry(repository.id)
    # One without its directory is of a move that was interrupted: it is made good now.
    target = Path(entry.path) if entry else paths.trash_target(where, clock.now())
    await asyncio.to_thread(paths.ballast(where.root).relieve)
    if entry is None:
        await catalogue.note_trashed(repository.id, where.root, target, TrashReason.DELETED)
    paths.move_to_trash(where, where.home, target)
    return target


async def _newest_entry(repository_id: int) -> TrashEntry | None:
    entries = TrashEntry.filter(repository_id=repository_id, reason=TrashReason.DELETED)
    return await entries.order_by("-id").first()


async def clear_left_behind() -> None:
    """Move deleted repositories that a killed server left in place; the trash care calls it."""
    rows = Repository.filter(deleted_at__isnull=False)
    rows = rows.exclude(location_id__in=await places.away_ids())
    for repository in await rows.select_related("location"):
        if await Session.filter(repository_id=repository.id, ended_at=None).exists():
            continue
        try:
            if await _clear_away(repository) is not None:
                logger.info("moved a deleted repository", repository=repository.login)
        except (HiveError, OSError) as error:
            # One repository in trouble must not keep the others.
            logger.warning("cannot be moved", repository=repository.login, error=str(error))


async def restore_repository(actor: Actor, repository_id: int) -> None:
    """Bring a deleted repository back, with its login, keys and events."""
    await unbroken(_restore(actor, repository_id), name="restore repository")


async def _restore(actor: Actor, repository_id: int) -> None:
    repository = await repository_for(actor, repository_id, Level.MANAGE, deleted=True)
    if repository.deleted_at is None:
        raise NotFound("There is no such repository in the trash.")
    await places.require(repository.location)
    taken = Repository.filter(owner_id=repository.owner_id, deleted_at=None)
    if await taken.filter(name=repository.name).exists():
        raise Conflict(
            "There is another repository %(name)s of this owner now: rename that one first.",
            name=repository.name,
        )
    entry = await _newest_entry(repository_id)
    if entry is not None:
        where = repository_infos.place_of(repository)
        paths.restore_from_trash(Path(entry.root), Path(entry.path), where.home)
    await _mark_restored(actor, repository.id, entry.id if entry else None)


@transactional
async def _mark_restored(actor: Actor, repository_id: int, entry_id: int | None) -> None:
    repository = await Repository.get(id=repository_id)
    repository.deleted_at = None
    await repository.save()
    await review.restored(repository_id)
    if entry_id is not None:
        await TrashEntry.filter(id=entry_id).delete()
    await events.record(
        repository_id, EventKind.RESTORED, say("Restored by %(name)s.", name=actor.name)
    )
    await audit.record(actor, "repository.restore", audit.name_of(repository))


async def empty_expired() -> int:
    """Delete for good what has been in the trash for storage.trash_days; returns how many.

    Nothing while the clock cannot be trusted.
    """
    away = await places.away_ids()
    await clear_left_behind()
    if not await trust.is_trusted():
        return 0
    before = clock.now() - kept_for()
    removed = 0
    for entry in await TrashEntry.filter(created_at__lt=before):
        if presence.words_of_root(Path(entry.root)) is not None:
            continue
        try:
            await asyncio.to_thread(paths.destroy, Path(entry.root), Path(entry.path))
        except (OSError, StorageError, RecursionError) as error:
            # One entry that cannot be deleted must not keep the others.
            logger.warning("trash entry cannot be deleted", path=entry.path, error=str(error))
            continue
        await _forget(entry.id)
        removed += 1
    expired = Repository.filter(deleted_at__lt=before).exclude(location_id__in=away)
    for row in await expired.select_related("location"):
        if repository_infos.place_of(row).home.exists():
            continue  # a row is all that tells of what lies there
        if not await TrashEntry.filter(repository_id=row.id).exists():
            await _forget_repository(row.id)
            await logs.forget_repository(row.id)
    return removed


@transactional
async def _forget(entry_id: int) -> None:
    await TrashEntry.filter(id=entry_id).delete()


@transactional
async def _forget_repository(repository_id: int) -> None:
    await Repository.filter(id=repository_id).delete()
