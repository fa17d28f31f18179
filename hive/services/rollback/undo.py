"""Rollback, the way back: what was undone is in the trash for its time, and can come back."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hive.background import unbroken
from hive.borg import rollback_files
from hive.borg.repository import snapshot
from hive.database import transactional
from hive.errors import Conflict, NotFound
from hive.kinds import EventKind, Level, RollbackState, TrashReason
from hive.models import Repository, Rollback, TrashEntry
from hive.process import found as processes
from hive.sentences import say
from hive.services import audit, events
from hive.services.measurements import statistics
from hive.services.permissions import Actor, manageable_ids, require, visible_repositories
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.rollback import preview, work
from hive.services.sessions import record, rollback_records
from hive.services.storage import paths as storage


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What a rollback has put into the trash."""

    id: int
    repository_id: int
    repository: str
    target: int
    former: int
    actor: str
    at: datetime
    until: datetime
    may_restore: bool


async def in_trash(actor: Actor) -> list[Undone]:
    """The rollbacks that can be taken back, the newest first; of what the actor may see."""
    paths = TrashEntry.filter(reason=TrashReason.ROLLED_BACK).values_list("path", flat=True)
    visible = Repository.filter(await visible_repositories(actor), deleted_at=None)
    ids = [row["id"] for row in await visible.values("id")]
    rows = Rollback.filter(
        state=RollbackState.DONE, path__in=list(await paths), repository_id__in=ids
    )
    found = [
        row
        for row in await rows.order_by("-id").select_related("repository__location")
        if row.root == str(storage.root_of(row.repository.location))  # else it was moved since
    ]
    manageable = await manageable_ids(actor, {row.repository_id for row in found})
    return [
        Undone(
            id=row.id,
            repository_id=row.repository_id,
            repository=row.repository.name,
            target=row.target,
            former=row.former,
            actor=row.actor,
            at=row.begun_at,
            until=row.begun_at + storage.kept_for(),
            may_restore=row.repository_id in manageable,
        )
        for row in found
    ]


async def last_rollback(actor: Actor, repository_id: int) -> int:
    """The newest rollback that is still in the trash; NotFound where there is none."""
    row = await preview.changeable(actor, repository_id)
    done = Rollback.filter(repository_id=repository_id, state=RollbackState.DONE)
    newest = await done.order_by("-id").first()
    if newest is None:
        raise NotFound("There is no rollback of %(name)s in the trash.", name=row.name)
    return newest.id


async def take_back(actor: Actor, rollback_id: int) -> str:
    """Undo a rollback from the trash; Conflict where something was written since.

    Returns the name of the repository.
    """
    return await unbroken(_take_back(actor, rollback_id), name="take a rollback back")


async def _take_back(actor: Actor, rollback_id: int) -> str:
    row = await Rollback.get_or_none(id=rollback_id, state=RollbackState.DONE)
    if row is None or not await asyncio.to_thread(Path(row.path).is_dir):
        raise NotFound("There is no such rollback in the trash.")
    repository = await Repository.get(id=row.repository_id).select_related("location")
    await require(actor, repository, Level.MANAGE)
    where = repository_infos.place_of(repository)
    if row.root != str(where.root):
        raise Conflict(
            "%(name)s was moved to another location since: the rollback can no longer be taken"
            " back.",
            name=repository.name,
        )
    await maintenance.interrupt_upkeep(repository.id)
    await maintenance.begin(repository.id, maintenance.ROLLING_BACK)
    try:
        await work.lock(repository.id, where)
        if not await asyncio.to_thread(
            rollback_files.holds_only_until, where.repository, row.target
        ):
            raise Conflict(
                "%(name)s was written to since it was rolled back: what is in the trash "
                "no longer fits.",
                name=repository.name,
            )
        await _note_taking_back(row)
        await put_back(actor, row, where, repository)
    finally:
        await work.leave(row, where, repository.id)
    return repository.name


@transactional
async def _note_taking_back(row: Rollback) -> None:
    row.state, row.worker = RollbackState.TAKING_BACK, processes.mark(os.getpid())
    await row.save()


async def put_back(
    actor: Actor, row: Rollback, where: storage.Place, repository: Repository
) -> None:
    def move(path: Path) -> None:
        rollback_files.clear_index(where.repository)
        rollback_files.move_back(path, where.repository)

    undone_at = row.ended_at
    await work.move(row, where, move)
    after = await asyncio.to_thread(snapshot, where.repository)
    await asyncio.to_thread(storage.destroy, where.root, Path(row.path))

    @transactional
    async def write() -> None:
        await work.end(row, RollbackState.TAKEN_BACK)
        await TrashEntry.filter(repository_id=repository.id, path=row.path).delete()
        await record.note_snapshot(repository.id, after, by_hive=True, is_brought=True)
        if undone_at is not None:
            await rollback_records.mark_back(repository.id, undone_at)
        await rollback_records.correct_last_backup(repository.id)
        await events.record(
            repository.id,
            EventKind.RESTORED,
            say(
                "The rollback to transaction %(target)s was taken back by %(name)s.",
                target=row.target,
                name=actor.name,
            ),
        )
        await audit.record(
            actor,
            "repository.take-back-rollback",
            audit.name_of(repository),
            target=row.target,
        )

    await write()
    await statistics.start_over(repository.id)
