"""Locks on repositories: who holds them, since when, and taking away those that are stale.

The locks of borg 1 are held by its server process here, which carries the host id of this
installation; those of borg 2 by the client, somewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hive import clock, log
from hive.background import unbroken
from hive.borg.locks import Holder, Lock, read_locks, remove_locks
from hive.database import transactional
from hive.errors import Conflict, StorageError
from hive.kinds import EventKind, Level, Need
from hive.models import Repository, Session
from hive.process import found as processes
from hive.sentences import N_, join, say
from hive.services import audit, events, runtime
from hive.services.alarms import alarms, rules
from hive.services.installation import presence
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import maintenance
from hive.services.repositories.infos import place_of
from hive.services.storage import places

logger = log.get(__name__)

T = TypeVar("T")

BREAKING = N_("a lock is being removed")


@dataclass(frozen=True, kw_only=True)
class LockInfo:
    host_id: str
    pid: int
    is_exclusive: bool
    since: datetime | None
    is_ours: bool  # held by a process of this installation
    is_dead: bool  # and that process is gone
    is_stale: bool

    @property
    def holder(self) -> Holder:
        return Holder(self.host_id, self.pid)

    def in_words(self, now: datetime) -> str:
        kind = say("exclusive") if self.is_exclusive else say("shared")
        who = say("this server") if self.is_ours else self.host_id
        since = (
            ""
            if self.since is None
            else say(", for %(span)s", span=max(now - self.since, timedelta(0)))
        )
        process = (
            say("process %(pid)s, which is gone", pid=self.pid)
            if self.is_dead
            else say("process %(pid)s", pid=self.pid)
        )
        words = join(kind, who, process, by=", ")
        stale = say(": stale") if self.is_stale else ""
        return join(words, since, stale, by="")


def look(path: Path) -> list[LockInfo]:
    """The locks of the repository at `path`; none where its storage is away. Blocking."""
    if presence.is_away(path):
        return []
    return judge(read_locks(path))


def judge(locks: list[Lock] | tuple[Lock, ...]) -> list[LockInfo]:
    """Tell which of these locks are stale. Blocking."""
    hours = runtime.settings().alarms.lock_hours
    now, ours = clock.now(), runtime.host_id()
    found = []
    for lock in locks:
        is_ours = lock.holder.host_id == ours
        is_dead = is_ours and processes.is_dead(lock.holder.pid, ours)
        is_stale = is_dead or rules.is_overdue(lock.since, now, hours)
        found.append(
            LockInfo(
                host_id=lock.holder.host_id,
                pid=lock.holder.pid,
                is_exclusive=lock.is_exclusive,
                since=lock.since,
                is_ours=is_ours,
                is_dead=is_dead,
                is_stale=is_stale,
            )
        )
    return found


async def clear_stale(repository_id: int, *, session_id: int | None = None) -> int:
    """Remove the locks of dead processes of this installation; returns how many there were.

    Nothing is done while a session lives, besides `session_id`, which is about to begin, or
    where the administrator does not want it (storage.break_stale_locks).
    """
    repository = await _existing(repository_id)
    if repository is None or not runtime.settings().storage.break_stale_locks:
        return 0
    dead = await _dead(repository)
    if not dead:
        return 0
    if session_id is not None:
        return 0 if await _is_in_use(repository_id, session_id) else await _clear(repository, dead)
    try:
        return await unbroken(_kept_out(repository_id, _clear(repository, dead)), name="clear lock")
    except Conflict:
        return 0


async def _kept_out(repository_id: int, work: Coroutine[Any, Any, T]) -> T:
    """Do the work while no session can begin; Conflict where one runs."""
    try:
        await maintenance.begin(repository_id, BREAKING)
    except Conflict:
        work.close()
        raise
    try:
        return await work
    finally:
        await maintenance.end(repository_id)


async def _clear(repository: Repository, holders: set[Holder]) -> int:
    path = place_of(repository).repository
    try:
        removed = await asyncio.to_thread(remove_locks, path, lambda holder: holder in holders)
    except OSError as error:
        logger.error("a lock cannot be removed", repository=repository.login, reason=str(error))
        return 0
    if removed:
        await _note_cleared(repository.id, holders)
    return removed


@transactional
async def _note_cleared(repository_id: int, holders: set[Holder]) -> None:
    pids = sorted(holder.pid for holder in holders)
    await events.record(
        repository_id,
        EventKind.LOCK_REMOVED,
        say("A lock left by a dead process of this server was removed."),
        pids=pids,
    )
    await alarms.end(repository_id, EventKind.STALE_LOCK, say("The stale lock is gone."))


async def _dead(repository: Repository) -> set[Holder]:
    found = await asyncio.to_thread(look, place_of(repository).repository)
    return {lock.holder for lock in found if lock.is_dead}


async def _is_in_use(repository_id: int, besides: int | None) -> bool:
    living = Session.filter(repository_id=repository_id, ended_at=None).exclude(need=Need.STATUS)
    if besides is not None:
        living = living.exclude(id=besides)
    return await living.exists()


async def _existing(repository_id: int) -> Repository | None:
    query = Repository.filter(id=repository_id, deleted_at=None)
    return await query.select_related("location").first()


async def break_lock(actor: Actor, repository_id: int, *, force: bool = False) -> list[LockInfo]:
    """Remove the locks of dead processes of this server, with `force` all; returns which.

    Conflict where a session runs: its lock is not stale.
    """
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    await places.require(repository.location)
    await maintenance.interrupt_upkeep(repository_id)
    work = _break(actor, repository, force=force)
    return await unbroken(_kept_out(repository_id, work), name="break lock")


async def _break(actor: Actor, repository: Repository, *, force: bool) -> list[LockInfo]:
    path = place_of(repository).repository
    found = await asyncio.to_thread(look, path)
    wanted = [lock for lock in found if force or lock.is_dead]
    holders = {lock.holder for lock in wanted}
    try:
        await asyncio.to_thread(remove_locks, path, lambda holder: holder in holders)
    except OSError as error:
        raise StorageError(
            "The lock cannot be removed: %(strerror)s.", strerror=error.strerror
        ) from error
    if wanted:
        await _note_broken(actor, repository, wanted)
    return wanted


@transactional
async def _note_broken(actor: Actor, repository: Repository, broken: list[LockInfo]) -> None:
    now = clock.now()
    words = [lock.in_words(now) for lock in broken]
    await events.record(
        repository.id,
        EventKind.LOCK_REMOVED,
        say("Lock removed by %(name)s: %(words)s.", name=actor.name, words="; ".join(words)),
    )
    await audit.record(
        actor,
        "repository.break-lock",
        audit.name_of(repository),
        locks=words,
    )
    await alarms.end(repository.id, EventKind.STALE_LOCK, say("The stale lock is gone."))


@transactional
async def note(repository_id: int, found: list[LockInfo]) -> None:
    """Tell of stale locks once, and of their end."""
    stale = [lock for lock in found if lock.is_stale]
    if not stale or await _is_in_use(repository_id, None):
        if not stale:
            await alarms.end(repository_id, EventKind.STALE_LOCK, say("The stale lock is gone."))
        return
    now = clock.now()
    words = join(*(lock.in_words(now) for lock in stale), by="; ")
    await alarms.begin(
        repository_id,
        EventKind.STALE_LOCK,
        say("A stale lock blocks other clients: %(locks)s.", locks=words),
        holders=[
            {
                "host_id": lock.host_id,
                "pid": lock.pid,
                "exclusive": lock.is_exclusive,
                "since": None if lock.since is None else clock.rfc3339(lock.since),
                "dead": lock.is_dead,
            }
            for lock in stale
        ],
    )
