"""Moving a repository to another location: asked for, previewed, cancelled, and how far it is.

hive/services/lifecycle/mover.py does the work. Until it is switched, the repository is where it
was; after a crash, the next start of the server continues the move.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hive import clock, long_work, signals
from hive.database import after_commit, transactional
from hive.errors import Conflict, NotFound, StorageError
from hive.kinds import OPEN_MOVES, Level, MoveState
from hive.long_work import WorkInfo, WorkKind
from hive.models import Location, Move, Repository
from hive.sentences import Size, say
from hive.services import audit
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.storage import disks, locations, paths, places

STAGING_DIRECTORY = ".moving"


@dataclass(frozen=True, kw_only=True)
class MoveInfo:
    """`message` is how it ended, or why it waits, in a sentence."""

    id: int
    repository_id: int
    state: MoveState
    former: str
    target: str
    actor: str
    asked_at: datetime
    ended_at: datetime | None
    message: str

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_MOVES


@dataclass(frozen=True, kw_only=True)
class MovePreview:
    """What a move would mean.

    size_bytes  what is to be copied; None where nothing is measured yet
    free_bytes  on the disk of the new place; None where it cannot be read
    is_copied   False: both locations have the same storage, so that only the address changes
    problem     why it cannot be moved there, in a sentence
    """

    former: str
    target: str
    size_bytes: int | None
    free_bytes: int | None
    is_copied: bool
    former_url: str
    url: str
    problem: str | None

    @property
    def has_other_address(self) -> bool:
        """Whether new clients reach it by another host or port."""
        return self.url != self.former_url


async def preview(actor: Actor, repository_id: int, location: str) -> MovePreview:
    """What moving the repository to this location would mean, for its owner and administrators.

    NotFound for a location that there is not; Conflict where it is there already.
    """
    row = await _movable(actor, repository_id)
    target = await locations.get_location(location)
    if target.id == row.location_id:
        raise Conflict(
            "%(name)s is at %(location)s already.",
            field="location",
            name=row.name,
            location=target.name,
        )
    here, there = repository_infos.place_of(row), _place_at(row, target)
    size = row.occupied_bytes if row.occupied_bytes is not None else row.size_bytes
    is_copied = here.root.resolve() != there.root.resolve()
    problem = await _problem(target, here, there, size) if is_copied else None
    return MovePreview(
        former=row.location.name,
        target=target.name,
        size_bytes=size,
        free_bytes=await asyncio.to_thread(disks.free_bytes, there.root),
        is_copied=is_copied,
        former_url=repository_infos.url(row.location, row.login, row.directory),
        url=repository_infos.url(target, row.login, row.directory),
        problem=problem,
    )


async def _movable(actor: Actor, repository_id: int) -> Repository:
    return await repository_for(actor, repository_id, Level.OWN)


def _place_at(row: Repository, location: Location) -> paths.Place:
    return paths.place(location, row.login, row.directory)


async def _problem(
    target: Location, here: paths.Place, there: paths.Place, size: int | None
) -> str | None:
    """What keeps the repository from being copied there."""
    try:
        await places.require(target)
    except StorageError as error:
        return error.message
    return await asyncio.to_thread(_problem_on_disk, here, there, size)


def _problem_on_disk(here: paths.Place, there: paths.Place, size: int | None) -> str | None:
    if _holds_something(here.staging):
        return say("An import is staged: finish or discard it first.")
    if _holds_something(there.repository) or _holds_something(there.home / STAGING_DIRECTORY):
        return say("There is something at %(path)s already.", path=there.home)
    free = disks.free_bytes(there.root)
    if size is not None and free is not None and free <= size:
        return say(
            "There is not enough room: %(size)s are needed, %(free)s are free.",
            size=Size(size),
            free=Size(free),
        )
    return disks.refusal(there.root)


def _holds_something(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


async def ask(actor: Actor, repository_id: int, location: str) -> MoveInfo:
    """Move the repository to this location in the background; raises as `preview`.

    Conflict as well where something keeps it from being moved, or it is on its way already.
    """
    found = await preview(actor, repository_id, location)
    if found.problem is not None:
        raise Conflict(found.problem, field="location")
    return await _ask(actor, repository_id, location)


@transactional
async def _ask(actor: Actor, repository_id: int, location: str) -> MoveInfo:
    row = await _movable(actor, repository_id)
    target = await locations.get_location(location)
    if await Move.filter(repository_id=repository_id, state__in=OPEN_MOVES).exists():
        raise Conflict("%(name)s is on its way to another location already.", name=row.name)
    move = await Move.create(
        repository_id=row.id,
        state=MoveState.COPYING,
        target_id=target.id,
        target_name=target.name,
        former_id=row.location_id,
        former_name=row.location.name,
        former_root=str(paths.root_of(row.location)),
        actor=actor.name,
        asked_at=clock.now(),
    )
    await audit.record(
        actor,
        "repository.move",
        audit.name_of(row),
        former=row.location.name,
        location=target.name,
    )
    _tell(row.id)
    return _info(move)


@transactional
async def cancel(actor: Actor, repository_id: int) -> MoveInfo:
    """Leave the repository where it is; Conflict where it is not on its way, or there already."""
    row = await _movable(actor, repository_id)
    move = await Move.filter(repository_id=repository_id, state__in=OPEN_MOVES).first()
    if move is None:
        raise Conflict("%(name)s is not on its way to another location.", name=row.name)
    if move.state == MoveState.CLEARING:
        raise Conflict(
            "%(name)s is at %(location)s already: move it back.",
            name=row.name,
            location=move.target_name,
        )
    move.state = MoveState.CANCELLING
    await move.save()
    await audit.record(actor, "repository.move-cancel", audit.name_of(row))
    _tell(row.id)
    return _info(move)


def _tell(repository_id: int) -> None:
    after_commit(lambda: signals.tell(signals.MoveWanted(repository_id)))


async def require_movable(actor: Actor, repository_id: int) -> None:
    """Raise NotFound or Forbidden unless the actor may move the repository."""
    await _movable(actor, repository_id)


def progress(repository_id: int) -> WorkInfo | None:
    """How far the copy is; None where nothing is copied."""
    return long_work.one(repository_id, WorkKind.MOVE)


async def get(move_id: int) -> MoveInfo:
    """For those who asked for it."""
    row = await Move.get_or_none(id=move_id)
    if row is None:
        raise NotFound("There is no such move.")
    return _info(row)


async def last_of(actor: Actor, repository_id: int) -> MoveInfo | None:
    """The last move of a repository that the actor may see."""
    await repository_for(actor, repository_id, Level.VIEW)
    row = await Move.filter(repository_id=repository_id).order_by("-id").first()
    return None if row is None else _info(row)


def _info(row: Move) -> MoveInfo:
    return MoveInfo(
        id=row.id,
        repository_id=row.repository_id,
        state=row.state,
        former=row.former_name,
        target=row.target_name,
        actor=row.actor,
        asked_at=row.asked_at,
        ended_at=row.ended_at,
        message=row.message,
    )
