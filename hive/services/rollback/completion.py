"""Rollback, after a crash: what a killed process was at is completed, or never was."""

from __future__ import annotations

import asyncio
import os

from hive import log
from hive.background import unbroken
from hive.borg import locks, rollback_files
from hive.errors import HiveError
from hive.kinds import RollbackState
from hive.models import Rollback
from hive.process import found
from hive.services.permissions import SYSTEM
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.rollback import undo, work
from hive.services.storage import paths, places

logger = log.get(__name__)


async def recover() -> None:
    """Complete what a killed process was at; at start before the gate listens, and by a job."""
    waiting = Rollback.filter(state__in=(RollbackState.CHECKING, *work.UNDER_WAY))
    for row in await waiting.select_related("repository__location"):
        if await places.look(row.repository.location) is not None:
            continue
        where = repository_infos.place_of(row.repository)
        if await asyncio.to_thread(found.is_marked_alive, row.worker):
            # a command at work while the server starts again
            if row.repository.maintenance is None:
                await maintenance.set_stage(row.repository_id, maintenance.ROLLING_BACK)
            continue
        try:
            await unbroken(_complete(row, where), name="complete rollback")
        except (HiveError, OSError) as error:
            logger.error("rollback not complete", repository=where.login, reason=str(error))


async def _complete(row: Rollback, where: paths.Place) -> None:
    await maintenance.set_stage(row.repository_id, maintenance.UNFINISHED_ROLLBACK)
    state = row.state
    try:
        await asyncio.to_thread(locks.release, where.repository, work.me())
        await work.lock(row.repository_id, where)
        row.worker = found.mark(os.getpid())
        if state == RollbackState.MOVING:
            target = (where.repository, row.target)
            await work.move(row, where, rollback_files.move_out, *target)
            await work.finish(SYSTEM, row, where, None)
        elif state == RollbackState.TAKING_BACK:
            await undo.put_back(SYSTEM, row, where, row.repository)
    finally:
        await work.leave(row, where, row.repository_id)
    if state in work.UNDER_WAY:
        logger.info("completed an interrupted rollback", repository=where.login)
