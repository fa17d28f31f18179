"""Imports: what rsync brought lands beside the repository, is verified, then takes its place."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from hive import clock, log, long_work
from hive.background import unbroken
from hive.borg import last_backup
from hive.borg.repository import snapshot
from hive.borg.verify import NotARepository, Verified, drop_derived, verify
from hive.database import transactional
from hive.errors import HiveError, NotFound, StorageError
from hive.kinds import EventKind, Mode, Need, Operation, TrashReason
from hive.long_work import WorkKind
from hive.meter import Meter
from hive.models import Event, Repository, Session, TrashEntry
from hive.sentences import Size, say
from hive.services import events
from hive.services.health import review
from hive.services.lifecycle import config_limits
from hive.services.measurements import statistics
from hive.services.permissions import Actor
from hive.services.repositories import (
    catalogue as repositories,
)
from hive.services.repositories import (
    infos as repository_infos,
)
from hive.services.repositories import (
    maintenance,
)
from hive.services.sessions import record
from hive.services.storage import paths, places

logger = log.get(__name__)

_END_SECONDS = 60.0
_FOLDER_HINT = say(
    "which was left out: with a slash at its end (SOURCE/) rsync sends what is in it"
)


@dataclass(frozen=True)
class Settled:
    """How an import ended: `facts` where it is in place now, else `problem` in words."""

    facts: Verified | None
    problem: str | None
    limits: str = ""  # what its config limits, in a sentence

    @property
    def message(self) -> str:
        if self.facts is None:
            return say(
                "The import is not in place: %(problem)s. It stays staged: correct it "
                "and run rsync -a --delete again; what is there already is not sent "
                "again.",
                problem=self.problem,
            )
        folder = (
            ""
            if self.facts.folder is None
            else say(" It came in a folder, %(hint)s.", hint=_FOLDER_HINT)
        )
        return say(
            "The import is in place: borg repository %(id)s, version "
            "%(version)s, %(size)s in %(files)s files.%(folder)s%(limits)s",
            id=self.facts.id,
            version=self.facts.version,
            size=Size(self.facts.size_bytes),
            files=self.facts.files,
            folder=folder,
            limits=self.limits,
        )


Along = Callable[[], Awaitable[None]]


async def switch_mode(
    actor: Actor, repository_id: int, mode: Mode, *, along: Along | None = None
) -> Settled | None:
    """Set the mode, end the sessions that no longer fit it, and settle a staged import.

    Setting the same mode again settles what could not be settled when it was set. `along` is
    called in the transaction that stores the mode: both happen or neither.
    """
    return await unbroken(_switch_mode(actor, repository_id, mode, along), name="switch mode")


async def _switch_mode(
    actor: Actor, repository_id: int, mode: Mode, along: Along | None
) -> Settled | None:
    await places.require_for(repository_id)
    where = await _place(repository_id)
    former = await _store_mode(actor, repository_id, mode, along)
    try:
        if former != mode:
            await record.wait_until_closed(repository_id, seconds=_END_SECONDS)
        if mode == Mode.IMPORT or not await asyncio.to_thread(is_staged, where):
            return None
        return await _settle_as_left(repository_id, where)
    finally:
        if mode != Mode.IMPORT:
            await maintenance.end(repository_id)


async def _store_mode(actor: Actor, repository_id: int, mode: Mode, along: Along | None) -> Mode:
    """Store the mode as soon as no maintenance is under way, and return the former one.

    A mode that is not IMPORT begins with a maintenance, in the same transaction: no
    session may come between the mode and the import that is still to be settled.
    """

    @transactional
    async def store() -> Mode:
        if along is not None:
            await along()
        former = await repositories.store_mode(actor, repository_id, mode)
        if mode != Mode.IMPORT:
            await maintenance.claim(repository_id, maintenance.SWITCHING)
        return former

    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    while True:
        try:
            return await store()
        except maintenance.BusyError:
            if asyncio.get_running_loop().time() > deadline:
                raise
        if not await maintenance.interrupt_upkeep(repository_id):
            await asyncio.sleep(0.1)


async def _settle_as_left(repository_id: int, where: paths.Place) -> Settled:
    """Settle what is staged now, unless the last rsync was cut off in the middle of it."""
    status = await last_import_status(repository_id)
    if status == 0:
        await maintenance.set_stage(repository_id, maintenance.VERIFYING)
        return await _verify_and_replace(repository_id, where)
    shown = (
        say("was cut off") if status is None else say("ended with status %(status)s", status=status)
    )
    problem = say("the last rsync %(end)s, so it is not complete", end=shown)
    await _reject(repository_id, problem)
    return Settled(None, problem)


def is_staged(where: paths.Place) -> bool:
    """Whether an import waits to be verified."""
    try:
        return any(where.staging.iterdir())
    except OSError:
        return False


async def finish_import(repository_id: int) -> Settled:
    """Verify the staged import and put it in the repository's place, the former to the trash.

    Raises Conflict while a session runs. Sessions are refused meanwhile.
    """
    return await unbroken(_settle(repository_id), name="settle import")


async def _settle(repository_id: int) -> Settled:
    await places.require_for(repository_id)
    where = await _place(repository_id)
    await maintenance.begin(repository_id, maintenance.VERIFYING)
    try:
        return await _verify_and_replace(repository_id, where)
    finally:
        await maintenance.end(repository_id)


async def _verify_and_replace(repository_id: int, where: paths.Place) -> Settled:
    try:
        async with long_work.under_way(repository_id, WorkKind.VERIFY) as work:
            facts = await asyncio.to_thread(_verify, where, work.meter)
    except NotARepository as error:
        await _reject(repository_id, error.message)
        return Settled(None, error.message)
    await maintenance.set_stage(repository_id, maintenance.PUTTING_IN_PLACE)
    await _replace(repository_id, where)
    limits = await asyncio.to_thread(config_limits.read, where.repository)
    settled = Settled(facts, None, limits.hint)
    await _finish(repository_id, where.repository, settled.message, folder=facts.folder)
    return settled


def _verify(where: paths.Place, meter: Meter) -> Verified:
    try:
        paths.take_out_of_folder(where, None)  # what a crash interrupted
        facts = verify(where.staging, meter)
        paths.take_out_of_folder(where, facts.folder)
    except OSError as error:
        raise StorageError(
            "The import in %(staging)s cannot be read: %(error)s.",
            staging=where.staging,
            error=error,
        ) from error
    return facts


async def _replace(repository_id: int, where: paths.Place) -> None:
    try:
        if await asyncio.to_thread(_holds_something, where.repository):
            target = await _note_trashed(repository_id, where)
            await asyncio.to_thread(paths.move_to_trash, where, where.repository, target)
        await asyncio.to_thread(_put_in_place, where)
    except OSError as error:
        raise StorageError(
            "The import in %(staging)s cannot be put in place: %(strerror)s.",
            staging=where.staging,
            strerror=error.strerror,
        ) from error


def _holds_something(directory: Path) -> bool:
    return directory.is_dir() and any(directory.iterdir())


def _put_in_place(where: paths.Place) -> None:
    paths.require_below(where.root, where.staging)
    paths.require_below(where.root, where.repository)
    if not (where.staging / "config").is_dir():  # borg 1
        drop_derived(where.staging)
    where.staging.rename(where.repository)  # over an empty directory too


async def _note_trashed(repository_id: int, where: paths.Place) -> Path:
    """Remember where the former content goes; a note whose move was interrupted holds again."""
    notes = TrashEntry.filter(repository_id=repository_id, reason=TrashReason.REPLACED)
    newest = await notes.order_by("-id").first()
    if newest is not None and not await asyncio.to_thread(os.path.lexists, newest.path):
        await _renew(newest)
        return Path(newest.path)
    target = paths.trash_target(where, clock.now())
    await repositories.note_trashed(repository_id, where.root, target, TrashReason.REPLACED)
    return target


@transactional
async def _renew(note: TrashEntry) -> None:
    note.created_at = clock.now()
    await note.save()


@transactional
async def _reject(repository_id: int, problem: str) -> None:
    message = say("The import was refused: %(problem)s.", problem=problem)
    await events.record(repository_id, EventKind.IMPORT_REJECTED, message)


async def _finish(
    repository_id: int, path: Path, message: str, *, folder: str | None = None
) -> None:
    after = await asyncio.to_thread(snapshot, path)
    disk = await asyncio.to_thread(last_backup.read, path)

    @transactional
    async def write() -> None:
        # A name that is not text cannot be stored; then the next import sends everything again.
        kept = folder if folder is not None and folder.isprintable() else None
        await Repository.filter(id=repository_id).update(import_folder=kept)
        await record.note_snapshot(repository_id, after, by_hive=True, is_brought=True)
        await review.estimate_backup(repository_id, disk.at)
        await events.record(repository_id, EventKind.IMPORT_VERIFIED, message)

    await write()
    await statistics.measure(repository_id)


async def recover(repositories: QuerySet[Repository] | None = None) -> None:
    """Complete what a killed server left half done; call before a session can begin there."""
    rows = Repository.all() if repositories is None else repositories
    for row in await rows.filter(maintenance__isnull=False).select_related("location"):
        try:
            if row.maintenance == maintenance.PUTTING_IN_PLACE:
                await _complete(row.id, repository_infos.place_of(row))
        except (HiveError, OSError) as error:
            # One repository in trouble must not keep the server from the others.
            logger.warning("import cannot be completed", repository=row.login, error=str(error))
        await maintenance.end(row.id)


async def _complete(repository_id: int, where: paths.Place) -> None:
    """The import was verified and nobody could change it since: put it in place."""
    if where.staging.is_dir():
        await _replace(repository_id, where)
    await _finish(
        repository_id, where.repository, "The import is in place, completed after an interruption."
    )
    logger.info("completed an interrupted import", repository=where.login)


async def _place(repository_id: int) -> paths.Place:
    repository = await Repository.get_or_none(id=repository_id).select_related("location")
    if repository is None:
        raise NotFound("There is no such repository.")
    return repository_infos.place_of(repository)


async def is_verified_since(repository_id: int, at: datetime) -> bool:
    """Whether an import was put in place at that time or later."""
    events_of_it = Event.filter(repository_id=repository_id, kind=EventKind.IMPORT_VERIFIED)
    return await events_of_it.filter(at__gte=at).exists()


async def last_import_status(repository_id: int) -> int | None:
    """How the last rsync ended that brought something; None where it was cut off.

    0 where none is known: nothing speaks against what is staged.
    """
    imports = Session.filter(repository_id=repository_id, need=Need.IMPORT)
    # A session that was killed with the server has no operation.
    brought = imports.filter(Q(operation=None) | ~Q(operation=Operation.DRY_RUN))
    last = await brought.order_by("-id").first()
    return 0 if last is None else last.exit_status
