"""Rollback, the doing: everything newer than a transaction goes to the trash, and can come back.

A row of `Rollback` is written before the first file moves. Sessions are kept out by maintenance,
borg outside of the gate by borg's own lock. What a killed process was at is completed by
hive/services/rollback/completion.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hive import clock
from hive.background import unbroken
from hive.borg import locks, rollback_files
from hive.borg.locks import Holder
from hive.borg.repository import snapshot
from hive.borg.rollback import ReadingProgress
from hive.borg.rollback_files import AlreadyThere
from hive.borg.segments import SegmentError
from hive.database import transactional
from hive.errors import Conflict, StorageError
from hive.kinds import EventKind, RollbackState, TrashReason
from hive.models import Repository, Rollback, TrashEntry
from hive.process import found as processes
from hive.sentences import Size, say
from hive.services import audit, events, runtime
from hive.services.alarms import alarms, answers
from hive.services.measurements import statistics
from hive.services.permissions import Actor
from hive.services.repositories import (
    infos as repository_infos,
)
from hive.services.repositories import (
    locks as stale_locks,
)
from hive.services.repositories import (
    maintenance,
)
from hive.services.rollback import preview
from hive.services.rollback.preview import RollbackOutlook, Step
from hive.services.sessions import record, rollback_records
from hive.services.storage import paths

UNDER_WAY = (RollbackState.MOVING, RollbackState.TAKING_BACK)
_ERRORS = (OSError, SegmentError, AlreadyThere)


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What is left to know after a rollback."""

    name: str
    step: Step
    trash: Path
    until: datetime
    commands: tuple[str, ...]  # for clients that have seen the newer state


async def check(
    actor: Actor, repository_id: int, transaction: int, reading: ReadingProgress | None = None
) -> tuple[RollbackOutlook, Step]:
    """Read all of that state, checksums included, and say what going back to it would do.

    Conflict where it is not possible.
    """
    row = await preview.changeable(actor, repository_id)
    written = await rollback_records.written(repository_id, also=transaction)
    path = repository_infos.place_of(row).repository
    found = await preview.survey(path, written, verify_until=transaction, reading=reading)
    outlook = await preview.outlook(row, found, written)
    step = preview.find(outlook, f"transaction:{transaction}")
    preview.require_possible(step, row.name)
    return outlook, step


async def roll_back(
    actor: Actor,
    repository_id: int,
    transaction: int,
    *,
    expected: int,
    reading: ReadingProgress | None = None,
) -> RolledBack:
    """Go back to the state of that transaction; the newer ones go to the trash.

    `expected` is the last transaction that the actor knows of: Conflict where another came since,
    where a session runs, or where anything speaks against it. Nothing is changed then.
    """
    reading = reading or ReadingProgress()
    work = _roll_back(actor, repository_id, transaction, expected, reading)
    try:
        return await unbroken(work, name="roll back")
    except asyncio.CancelledError:
        reading.cancel()
        raise


async def _roll_back(
    actor: Actor, repository_id: int, transaction: int, expected: int, reading: ReadingProgress
) -> RolledBack:
    repository = await preview.changeable(actor, repository_id)
    where = repository_infos.place_of(repository)
    await maintenance.interrupt_upkeep(repository_id)
    await maintenance.begin(repository_id, maintenance.ROLLING_BACK)
    row = None
    try:
        row = await _begin(actor, where, repository_id, transaction, expected)
        await lock(repository_id, where)
        await asyncio.to_thread(_prepare_trash, where)
        outlook, step = await check(actor, repository_id, transaction, reading)
        if outlook.current is None or outlook.current.transaction != expected:
            raise Conflict(
                "%(name)s has changed since you looked at it. Look at it again; nothing was"
                " changed.",
                name=repository.name,
            )
        await _note_moving(row)
        await move(row, where, rollback_files.move_out, where.repository, transaction)
        await finish(actor, row, where, step.at)
    finally:
        await leave(row, where, repository_id)
    commands = preview.client_commands(outlook)
    return RolledBack(
        name=repository.name, step=step, trash=Path(row.path), until=_until(row), commands=commands
    )


def _until(row: Rollback) -> datetime:
    return row.begun_at + paths.kept_for()


async def leave(row: Rollback | None, where: paths.Place, repository_id: int) -> None:
    """Let sessions in again, unless files were left between two places."""
    if row is not None:
        row = await Rollback.get(id=row.id)  # what is committed counts
    if row is not None and row.state in UNDER_WAY:
        await _leave_unfinished(row)
        return
    if row is not None and row.state == RollbackState.CHECKING:
        await end(row, RollbackState.GIVEN_UP)
    await asyncio.to_thread(locks.release, where.repository, me())
    await maintenance.end(repository_id)


@transactional
async def note_stopped(row: Rollback, reason: str | None) -> None:
    """Tell it once, however often it is tried again."""
    repository = await Repository.get(id=row.repository_id)
    if repository.maintenance == maintenance.UNFINISHED_ROLLBACK:
        return
    await alarms.happened(
        row.repository_id,
        EventKind.ROLLBACK_STOPPED,
        say(
            "A rollback by %(actor)s stopped halfway: %(reason)s. Sessions are "
            "refused until it is complete.",
            actor=row.actor,
            reason=reason,
        ),
        target=row.target,
    )


@transactional
async def _leave_unfinished(row: Rollback) -> None:
    """Nobody is at it any more; borg's lock stays."""
    row.worker = ""
    await row.save()
    await maintenance.set_stage(row.repository_id, maintenance.UNFINISHED_ROLLBACK)


def me() -> Holder:
    return Holder(runtime.host_id(), os.getpid())


async def lock(repository_id: int, where: paths.Place) -> None:
    """Take borg's lock, so that a borg past the gate waits; Conflict where one holds it."""
    found = await asyncio.to_thread(stale_locks.look, where.repository)
    gone = {one.holder for one in found if one.is_dead}
    await asyncio.to_thread(locks.remove_locks, where.repository, lambda one: one in gone)
    try:
        held = await asyncio.to_thread(locks.take_exclusive, where.repository, me())
    except OSError as error:
        raise StorageError(
            "The repository cannot be locked: %(strerror)s.", strerror=error.strerror
        ) from error
    if held:
        holder = held[0].holder
        raise Conflict(
            "A borg on %(host_id)s (process %(pid)s) holds the repository's lock. Try again"
            " when it has ended; nothing was changed.",
            host_id=holder.host_id,
            pid=holder.pid,
        )


def _prepare_trash(where: paths.Place) -> None:
    try:
        where.trash.mkdir(mode=0o700, exist_ok=True)
        is_one_disk = rollback_files.are_on_one_disk(where.repository, where.trash)
    except OSError as error:
        raise StorageError(
            "The trash %(trash)s cannot be used: %(strerror)s.",
            trash=where.trash,
            strerror=error.strerror,
        ) from error
    if not is_one_disk:
        raise StorageError(
            "%(repository)s and the trash %(trash)s lie on different file systems, so nothing"
            " can be moved there in one step. Nothing was changed.",
            repository=where.repository,
            trash=where.trash,
        )


@transactional
async def _begin(
    actor: Actor, where: paths.Place, repository_id: int, transaction: int, former: int
) -> Rollback:
    now = clock.now()
    return await Rollback.create(
        repository_id=repository_id,
        state=RollbackState.CHECKING,
        target=transaction,
        former=former,
        worker=processes.mark(os.getpid()),
        actor=actor.name,
        root=str(where.root),
        path=str(paths.trash_target(where, now)),
        begun_at=now,
    )


@transactional
async def _note_moving(row: Rollback) -> None:
    """From here on it must be completed: after a crash, the next start does that."""
    row.state = RollbackState.MOVING
    await row.save()
    await TrashEntry.create(
        repository_id=row.repository_id,
        root=row.root,
        path=row.path,
        reason=TrashReason.ROLLED_BACK,
        created_at=row.begun_at,
    )


async def move(
    row: Rollback,
    where: paths.Place,
    move: Callable[..., object],
    *arguments: object,
) -> None:
    paths.require_below(where.root, where.repository)
    try:
        paths.require_below(where.trash, Path(row.path))
        await asyncio.to_thread(move, *arguments, Path(row.path))
    except _ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        await note_stopped(row, reason)
        raise StorageError(
            "The rollback stopped halfway: %(reason)s. Sessions are refused until it "
            "is complete; the server tries again every hour and when it starts.",
            reason=reason,
        ) from error


@transactional
async def end(row: Rollback, state: RollbackState) -> None:
    row.state, row.ended_at = state, clock.now()
    await row.save()


async def finish(
    actor: Actor, row: Rollback, where: paths.Place, state_at: datetime | None
) -> None:
    after = await asyncio.to_thread(snapshot, where.repository)
    size = await asyncio.to_thread(paths.tree_bytes, Path(row.path))
    repository = await Repository.get(id=row.repository_id)

    @transactional
    async def write() -> None:
        await end(row, RollbackState.DONE)
        await record.note_snapshot(row.repository_id, after, by_hive=True, is_brought=True)
        assert row.ended_at is not None  # noqa: S101 - _end has set it
        await rollback_records.mark_undone(row.repository_id, row.target, row.ended_at)
        await rollback_records.correct_last_backup(row.repository_id, state_at)
        await answers.undone(row.actor, row.repository_id)
        await alarms.end(
            row.repository_id, EventKind.ROLLBACK_STOPPED, say("The rollback is complete.")
        )
        await events.record(
            row.repository_id,
            EventKind.ROLLED_BACK,
            say(
                "Rolled back by %(actor)s to transaction %(target)s: what was written since,"
                " %(size)s, is in the trash. Clients that have seen the newer state refuse this"
                " one until their cache is deleted.",
                actor=row.actor,
                target=row.target,
                size=Size(size),
            ),
            target=row.target,
            former=row.former,
        )
        await audit.record(
            actor,
            "repository.rollback",
            audit.name_of(repository),
            target=row.target,
            former=row.former,
        )

    await write()
    await statistics.start_over(row.repository_id)
