"""Removing what a session wrote and never committed, so that it takes no room."""

from __future__ import annotations

import asyncio
import os

from hive import log
from hive.borg.exclusive_lock import exclusive_lock
from hive.borg.locks import Holder
from hive.borg.repository import Snapshot
from hive.borg.uncommitted import Removed, remove_uncommitted
from hive.formats import format_size
from hive.process import found
from hive.services import runtime
from hive.services.storage import paths

logger = log.get(__name__)


async def clear(place: paths.Place, before: Snapshot) -> Removed:
    """Remove the segments that no commit covers; `before` is the repository as it once was.

    Where the lock is taken, or anything is in doubt, borg does it when it next writes.
    """
    if place.is_borg2 or not place.is_created:
        return Removed()
    removed = await asyncio.to_thread(_clear, place, before)
    if removed.segments:
        logger.info("removed what was not committed", size=format_size(removed.size_bytes))
    elif removed.doubt is not None:
        logger.info("what was not committed stays", reason=removed.doubt)
    return removed


def _clear(place: paths.Place, before: Snapshot) -> Removed:
    path, ours = place.repository, runtime.host_id()

    def is_gone(holder: Holder) -> bool:
        if holder.host_id != ours or holder.pid == os.getpid():
            return False
        return found.is_dead(holder.pid, ours)

    try:
        return remove_uncommitted(
            path,
            lambda: exclusive_lock(path, ours, is_gone),
            at_least=int(before.state) if before.state.isdigit() else -1,
            may_be_empty=not before.is_created,
        )
    except OSError as error:
        return Removed(doubt=str(error))
