"""Imports: what rsync brought lands beside the repository, is verified, then takes its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog

from hive import clock
from hive.borg.repository import snapshot
from hive.borg.verify import NotARepository, RepositoryFacts, verify
from hive.database import transactional
from hive.errors import Conflict, NotFound
from hive.kinds import EventKind, Mode, TrashReason
from hive.models import Repository, Session
from hive.services import events, repositories, sessions, storage
from hive.services.permissions import Actor
from hive.units import format_size

logger = structlog.get_logger(__name__)

VERIFYING = "an import is being verified"
PUTTING_IN_PLACE = "an import is being put in place"
_END_SECONDS = 60.0


@dataclass(frozen=True)
class Settled:
    """How an import ended: `facts` where it is in place now, else `problem` in words."""

    facts: RepositoryFacts | None
    problem: str | None

    @property
    def message(self) -> str:
        if self.facts is None:
            return (
                f"The import is not in place: {self.problem}. It stays staged: correct it and run"
                " rsync again; what is there already is not sent again."
            )
        return (
            f"The import is in place: borg repository {self.facts.id}, version"
            f" {self.facts.version}, {format_size(self.facts.size_bytes)} in"
            f" {self.facts.files} files."
        )


async def switch_mode(actor: Actor, repository_id: int, mode: Mode) -> Settled | None:
    """Set the mode, end the sessions that no longer fit it, and settle a staged import."""
    where = await _place(repository_id)
    former = await repositories.store_mode(actor, repository_id, mode)
    if former == mode:
        return None
    await sessions.wait_until_closed(repository_id, seconds=_END_SECONDS)
    if former == Mode.IMPORT and is_staged(where):
        return await settle(repository_id)
    return None


def is_staged(where: storage.Place) -> bool:
    """Whether an import waits to be verified."""
    try:
        return any(where.staging.iterdir())
    except OSError:
        return False


async def settle(repository_id: int) -> Settled:
    """Verify the staged import and put it in the repository's place, the former to the trash.

    Raises Conflict while a session runs. Sessions are refused meanwhile.
    """
    where = await _place(repository_id)
    await _begin(repository_id)
    try:
        return await _verify_and_replace(repository_id, where)
    finally:
        await end_maintenance(repository_id)


async def _verify_and_replace(repository_id: int, where: storage.Place) -> Settled:
    try:
        facts = await asyncio.to_thread(verify, where.staging)
    except NotARepository as error:
        await _record(
            repository_id, EventKind.IMPORT_REJECTED, f"The import was refused: {error.message}."
        )
        return Settled(None, error.message)
    await _set_maintenance(repository_id, PUTTING_IN_PLACE)
    await _replace(repository_id, where)
    settled = Settled(facts, None)
    await _finish(repository_id, where.repository, settled.message)
    return settled


async def _replace(repository_id: int, where: storage.Place) -> None:
    storage.require_below(where.root, where.staging)
    empty = where.repository.is_dir() and not any(where.repository.iterdir())
    if empty:
        where.repository.rmdir()
    former = storage.move_to_trash(where, where.repository, clock.now())
    where.staging.rename(where.repository)
    if former is not None:
        await repositories.note_trashed(repository_id, where.root, former, TrashReason.REPLACED)


@transactional
async def _begin(repository_id: int) -> None:
    """Keep sessions out; Conflict where one runs or another settling is under way."""
    if await Session.filter(repository_id=repository_id, ended_at=None).exists():
        raise Conflict("A session is still running on this repository.")
    changed = await Repository.filter(id=repository_id, maintenance=None).update(
        maintenance=VERIFYING
    )
    if not changed:
        raise Conflict("This repository is busy already. Try again in a moment.")


@transactional
async def _set_maintenance(repository_id: int, reason: str) -> None:
    await Repository.filter(id=repository_id).update(maintenance=reason)


@transactional
async def end_maintenance(repository_id: int) -> None:
    await Repository.filter(id=repository_id).update(maintenance=None)


@transactional
async def _record(repository_id: int, kind: EventKind, message: str) -> None:
    await events.record(repository_id, kind, message)


async def _finish(repository_id: int, path: Path, message: str) -> None:
    after = await asyncio.to_thread(snapshot, path)

    @transactional
    async def write() -> None:
        await sessions.note_snapshot(repository_id, after)
        await events.record(repository_id, EventKind.IMPORT_VERIFIED, message)

    await write()


async def recover() -> None:
    """Complete what a killed server left half done; call before the gate listens."""
    for row in await Repository.filter(maintenance__isnull=False).select_related("location"):
        where = repositories.place_of(row)
        verified = row.maintenance == PUTTING_IN_PLACE
        if verified and not where.repository.exists() and where.staging.is_dir():
            where.staging.rename(where.repository)
            logger.info("completed an interrupted import", repository=row.login)
        await end_maintenance(row.id)


async def _place(repository_id: int) -> storage.Place:
    repository = await Repository.get_or_none(id=repository_id).select_related("location")
    if repository is None:
        raise NotFound("There is no such repository.")
    return repositories.place_of(repository)
