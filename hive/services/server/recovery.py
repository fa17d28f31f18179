"""What a killed server left behind: processes, locks, sessions, half an import."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field

from tortoise.queryset import QuerySet

from hive import log, memory
from hive.borg.locks import Holder, remove_locks
from hive.database import transactional
from hive.errors import Unavailable
from hive.kinds import EventKind
from hive.models import Repository
from hive.process import found
from hive.sentences import say
from hive.services import events, runtime, triggers
from hive.services.health import review
from hive.services.installation import presence
from hive.services.lifecycle import imports, trash
from hive.services.repositories import infos as repository_infos
from hive.services.rollback import completion
from hive.services.sessions import record
from hive.services.storage import scratch
from hive.services.upkeep import queue

logger = log.get(__name__)

_KILL_AFTER = 15.0  # seconds of asking politely
_GIVE_UP_AFTER = 25.0


@dataclass
class _Memory:
    waiting: set[int] = field(default_factory=set)  # locations that were away at start


async def recover_from_crash() -> None:
    """Bring everything to rest; call at start, before anybody can log in."""
    await _end_processes()
    closed = await record.interrupt_left_open()
    if closed:
        logger.warning("sessions of a killed server were closed", sessions=closed)
    await triggers.recover()
    memory.of(_Memory).waiting.update(presence.away())
    there = Repository.exclude(location_id__in=list(memory.of(_Memory).waiting))
    await imports.recover(there)
    await completion.recover()
    await queue.resume_all()
    await trash.clear_left_behind()
    await _remove_locks(there)
    await asyncio.to_thread(scratch.clear)
    await review.look_at_unseen()


async def recover_location(location_id: int) -> None:
    """Bring the repositories of a location to rest that was not available at start."""
    if location_id not in memory.of(_Memory).waiting:
        return
    there = Repository.filter(location_id=location_id)
    await imports.recover(there)
    await completion.recover()
    await _remove_locks(there)
    memory.of(_Memory).waiting.discard(location_id)


async def _end_processes() -> None:
    """End the children of this data directory's former server: they carry its token."""
    begun = asyncio.get_running_loop().time()
    while children := await asyncio.to_thread(found.of_run, runtime.run_token()):
        waited = asyncio.get_running_loop().time() - begun
        if waited > _GIVE_UP_AFTER:
            raise Unavailable(
                "The processes %(children)s of a former server cannot be ended: end them first,"
                " they hold repositories.",
                children=children,
            )
        number = signal.SIGKILL if waited > _KILL_AFTER else signal.SIGTERM
        for pid in children:
            logger.warning("ending a process that a killed server left", pid=pid)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        await asyncio.sleep(0.5)
    await asyncio.to_thread(runtime.begin_run)


async def _remove_locks(rows: QuerySet[Repository]) -> None:
    """Remove the locks of this installation: none of its processes is left to hold one.

    But where a copy of the data directory is at work, one of its processes may.
    """
    for row in await rows.filter(deleted_at=None).select_related("location"):
        if row.maintenance is not None:
            continue  # a command is at work there, and holds the lock
        path = repository_infos.place_of(row).repository
        try:
            removed = await asyncio.to_thread(remove_locks, path, _is_gone)
        except OSError as error:
            # One broken repository must not stop the care for the others.
            logger.error("locks cannot be removed", repository=row.login, reason=str(error))
            continue
        if removed:
            await _record(row.id)


def _is_gone(holder: Holder) -> bool:
    return holder.host_id == runtime.host_id() and found.is_dead(holder.pid, holder.host_id)


@transactional
async def _record(repository_id: int) -> None:
    await events.record(
        repository_id,
        EventKind.LOCK_REMOVED,
        say("A lock of a session that the server's end interrupted was removed."),
    )
