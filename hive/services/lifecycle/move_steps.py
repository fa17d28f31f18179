"""The steps of a move (hive/services/lifecycle/mover.py): on the disk, and in the database."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

from hive import clock, files, log, long_work
from hive.borg import locks
from hive.borg.locks import Holder
from hive.borg.repository import Snapshot
from hive.database import transactional
from hive.errors import Conflict, StorageError
from hive.kinds import OPEN_MOVES, EventKind, MoveState, Need, TrashReason
from hive.long_work import WorkKind
from hive.models import Location, Move, Repository, Session, TrashEntry
from hive.process import found as processes
from hive.sentences import say
from hive.services import events, runtime
from hive.services.lifecycle import moves
from hive.services.repositories import catalogue, maintenance
from hive.services.repositories import locks as stale_locks
from hive.services.sessions import record
from hive.services.storage import disks, paths, places
from hive.tree_copy import StoppedError, TreeCopy

logger = log.get(__name__)


class WaitsError(Exception):
    """Something that passes is in the way: a session, or a storage that is away."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def claim(move_id: int) -> Move | None:
    """The row, for this process alone; None where another one that lives is at it."""
    former = (await Move.get(id=move_id)).worker
    mine = await asyncio.to_thread(processes.mark, os.getpid())
    if former != mine and await asyncio.to_thread(processes.is_marked_alive, former):
        return None
    return await _claim(move_id, former, mine)


@transactional
async def _claim(move_id: int, former: str, mine: str) -> Move | None:
    changed = await Move.filter(id=move_id, worker=former).update(worker=mine)
    return await Move.get(id=move_id) if changed else None


def staging(there: paths.Place) -> Path:
    return there.home / moves.STAGING_DIRECTORY


def me() -> Holder:
    return Holder(runtime.host_id(), os.getpid())


async def require_there(*locations: Location) -> None:
    for location in locations:
        try:
            await places.require(location)
        except StorageError as error:
            raise WaitsError(error.message) from error


async def is_in_use(repository_id: int) -> bool:
    running = Session.filter(repository_id=repository_id, ended_at=None)
    return await running.exclude(need=Need.STATUS).exists()


def make_ready(there: paths.Place) -> None:
    """Make the home at the new place; what was put in place before a crash is a copy again."""
    refusal = disks.refusal(there.root)
    if refusal is not None:
        raise Conflict(refusal)
    there.home.mkdir(mode=0o700, exist_ok=True)
    paths.require_below(there.root, there.home)
    copy = staging(there)
    if there.repository.is_dir() and not copy.exists():
        there.repository.rename(copy)
    if there.repository.is_dir():
        there.repository.rmdir()  # an empty one; anything else is not ours


async def require_no_import(here: paths.Place) -> None:
    if await asyncio.to_thread(lambda: here.staging.is_dir() and any(here.staging.iterdir())):
        raise Conflict("An import is staged: finish or discard it first.")


async def lock(here: paths.Place) -> None:
    """Take borg's lock, so that a borg past the gate waits; it is no part of the copy."""
    if not await asyncio.to_thread((here.repository / "config").is_file):
        return
    found = await asyncio.to_thread(stale_locks.look, here.repository)
    gone = {one.holder for one in found if one.is_dead}
    await asyncio.to_thread(locks.remove_locks, here.repository, lambda one: one in gone)
    held = await asyncio.to_thread(locks.take_exclusive, here.repository, me())
    if held:
        raise WaitsError(
            say("A borg on %(host)s holds the repository's lock.", host=held[0].holder.host_id)
        )


def put_in_place(copy: TreeCopy, there: paths.Place) -> None:
    copy.keep_safe()
    staging(there).rename(there.repository)
    files.sync_directory(there.home)
    files.sync_directory(there.root)


@transactional
async def switch(row: Move, after: Snapshot, *, is_copied: bool) -> None:
    """From here on the new place counts."""
    current = await Move.get(id=row.id)
    repository = await Repository.get(id=row.repository_id)
    if current.state != MoveState.COPYING or repository.maintenance != maintenance.MOVING:
        raise StoppedError  # it was cancelled meanwhile, or a server that starts let sessions in
    await Repository.filter(id=row.repository_id).update(location_id=row.target_id)
    await record.note_snapshot(row.repository_id, after, by_hive=True)
    await events.record(
        row.repository_id,
        EventKind.MOVED,
        say(
            "Moved from %(former)s to %(target)s by %(name)s.",
            former=row.former_name,
            target=row.target_name,
            name=row.actor,
        ),
    )
    current.state = MoveState.CLEARING if is_copied else MoveState.DONE
    current.message = ""
    if not is_copied:
        current.ended_at = clock.now()
    await current.save()


async def clear(row: Move, repository: Repository) -> None:
    """Move the former copy to the trash of its root; after a crash, what is left of that."""
    root = Path(row.former_root)
    where = paths.Place(root, repository.login, repository.directory)
    if await asyncio.to_thread(where.home.is_dir):
        target = await _note_trashed(repository.id, where)
        try:
            await asyncio.to_thread(paths.move_to_trash, where, where.home, target)
        except StorageError as error:
            raise WaitsError(error.message) from error
    await _end(row, MoveState.DONE, "")


async def _note_trashed(repository_id: int, where: paths.Place) -> Path:
    """Remember where the former copy goes; a note whose move was interrupted holds again."""
    notes = TrashEntry.filter(repository_id=repository_id, reason=TrashReason.MOVED)
    newest = await notes.order_by("-id").first()
    if newest is not None and not await asyncio.to_thread(os.path.lexists, newest.path):
        return Path(newest.path)
    target = paths.trash_target(where, clock.now())
    await catalogue.note_trashed(repository_id, where.root, target, TrashReason.MOVED)
    return target


async def give_up(row: Move, repository: Repository, state: MoveState, message: str) -> bool:
    """Remove what was copied, unless that is what counts."""
    current = await Move.get(id=row.id)
    await repository.refresh_from_db(fields=["location_id"])
    if current.state == MoveState.CLEARING or repository.location_id == row.target_id:
        return False
    target = await Location.get_or_none(id=row.target_id)
    if target is not None and str(paths.root_of(target)) != row.former_root:
        await require_there(target)
        there = paths.place(target, repository.login, repository.directory)
        await asyncio.to_thread(_discard, there)
    long_work.forget(repository.id, WorkKind.MOVE)
    await _end(row, state, message)
    return True


def _discard(there: paths.Place) -> None:
    paths.require_below(there.root, there.home)
    for path in (staging(there), there.repository):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
    with suppress(OSError):  # not empty, or not there
        there.home.rmdir()


async def failed(row: Move, repository: Repository, words: str) -> None:
    if row.message != words:  # once
        logger.error("a repository was not moved", reason=words)
    try:
        if not await give_up(row, repository, MoveState.FAILED, words):
            await note_waiting(row, words)  # what is left is to be cleared away
            return
    except WaitsError as waits:
        await note_waiting(row, waits.message)
        return
    await _note_failed(row, words)


@transactional
async def _note_failed(row: Move, words: str) -> None:
    await events.record(
        row.repository_id,
        EventKind.MOVE_FAILED,
        say(
            "Not moved to %(target)s, and everything is as it was: %(reason)s",
            target=row.target_name,
            reason=words,
        ),
    )


@transactional
async def note_waiting(row: Move, words: str) -> None:
    await Move.filter(id=row.id, state__in=OPEN_MOVES).update(message=words)


@transactional
async def _end(row: Move, state: MoveState, message: str) -> None:
    await Move.filter(id=row.id).update(state=state, message=message, ended_at=clock.now())
