"""What a killed server left behind: processes, locks, sessions, half an import."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import structlog

from hive.borg.locks import remove_locks_of
from hive.database import transactional
from hive.errors import Unavailable
from hive.kinds import EventKind
from hive.models import Repository
from hive.services import (
    events,
    health,
    imports,
    processes,
    repository_infos,
    rollback_recovery,
    runtime,
    scratch,
    sessions,
    trash,
    triggers,
    upkeeps,
)

logger = structlog.get_logger(__name__)

_KILL_AFTER = 15.0  # seconds of asking politely
_GIVE_UP_AFTER = 25.0


async def clean_up() -> None:
    """Bring everything to rest; call at start, before anybody can log in."""
    await _end_processes()
    closed = await sessions.interrupt_left_open()
    if closed:
        logger.warning("sessions of a killed server were closed", sessions=closed)
    await triggers.recover()
    await imports.recover()
    await rollback_recovery.recover()
    await upkeeps.resume_all()
    await trash.clear_left_behind()
    await _remove_locks()
    await asyncio.to_thread(scratch.clear)
    await health.look_at_unseen()


async def _end_processes() -> None:
    """End the children of a killed server: they carry the host id of this installation."""
    begun = asyncio.get_running_loop().time()
    while children := await asyncio.to_thread(processes.of_host_id, runtime.host_id()):
        waited = asyncio.get_running_loop().time() - begun
        if waited > _GIVE_UP_AFTER:
            raise Unavailable(
                f"The processes {children} of a former server cannot be ended: end them first, they"
                " hold repositories."
            )
        number = signal.SIGKILL if waited > _KILL_AFTER else signal.SIGTERM
        for pid in children:
            logger.warning("ending a process that a killed server left", pid=pid)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        await asyncio.sleep(0.5)


async def _remove_locks() -> None:
    """Remove the locks of this installation: none of its processes is left to hold one."""
    for row in await Repository.filter(deleted_at=None).select_related("location"):
        if row.maintenance is not None:
            continue  # a command is at work there, and holds the lock
        path = repository_infos.place_of(row).repository
        try:
            removed = await asyncio.to_thread(remove_locks_of, runtime.host_id(), path)
        except OSError as error:
            # One broken repository must not stop the care for the others.
            logger.error("locks cannot be removed", repository=row.login, reason=str(error))
            continue
        if removed:
            await _record(row.id)


@transactional
async def _record(repository_id: int) -> None:
    await events.record(
        repository_id,
        EventKind.LOCK_REMOVED,
        "A lock of a session that the server's end interrupted was removed.",
    )
