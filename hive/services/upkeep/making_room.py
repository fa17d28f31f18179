"""The way out of a full disk: how large each ballast is, and who may use it.

Below the reserve, what deletes or compacts gets the ballast of its storage root, one session or
compaction at a time, and it is taken back afterwards. A ballast grows only from room that is well
above the reserve, so that it never is what fills a disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hive import log, memory
from hive.background import unbroken
from hive.ballast import Ballast
from hive.borg import room
from hive.errors import Conflict
from hive.models import Location, Repository
from hive.services import runtime
from hive.services.repositories import infos as repository_infos
from hive.services.storage import disk_alarms, disks, paths, places

logger = log.get(__name__)

_MIB = 1024**2
_DATABASE_BYTES = 64 * _MIB
_DATABASE_SHARE = 20  # of a small disk one part in twenty
_ROOT_LEAST = 16 * _MIB
_ROOT_MOST = 4096 * _MIB
_ROOT_SHARE = 10
_SLACK = 16 * _MIB  # what failed tries and growing indexes take of it
_LOOK_AGAIN = 10.0  # seconds


@dataclass
class _Memory:
    borrowed: set[Path] = field(default_factory=set)  # storage roots whose ballast is in use
    # storage root -> how large its ballast should be
    wanted: dict[Path, int] = field(default_factory=dict)
    looked_at: float = float("-inf")


class BallastInUse(Conflict):
    """Another session is making room on this storage root."""


@asynccontextmanager
async def borrowed(root: Path) -> AsyncIterator[None]:
    """Have the ballast of this storage root given up for a while; BallastInUse where it is already.

    Where there is room anyway, nothing is done.
    """
    borrowed_roots = memory.of(_Memory).borrowed
    if root not in borrowed_roots and not await asyncio.to_thread(_is_short, root):
        yield
        return
    if root in borrowed_roots:
        raise BallastInUse(
            "The server's disk is full, and another session is making room on it: only one can at a"
            " time. Try again when it has ended."
        )
    borrowed_roots.add(root)
    try:
        given = await asyncio.to_thread(_give_up, root)
        logger.warning("ballast given up", root=str(root), size=given)
        try:
            yield
        finally:
            await unbroken(_take_back(root, given), name="take ballast back")
    finally:
        borrowed_roots.discard(root)


def _give_up(root: Path) -> int:
    ballast = paths.ballast(root)
    disks.note_lent(root, ballast.size)  # before: it is free for this one session alone
    return ballast.give_up()


async def _take_back(root: Path, given: int) -> None:
    """Have it as large as before, or as it should be where the session made room for that."""
    wanted = max(given, memory.of(_Memory).wanted.get(root, 0))
    try:
        await asyncio.to_thread(paths.ballast(root).take_back, wanted)
    finally:
        disks.note_lent(root, 0)


def _is_short(root: Path) -> bool:
    """Whether borg could find too little room there. Blocking."""
    try:
        space = disks.measure(root)
    except OSError:
        return False
    return space.is_full


async def look_after_soon() -> None:
    """Look after them for a session that finds a disk full, unless one has just done so."""
    known = memory.of(_Memory)
    if time.monotonic() - known.looked_at > _LOOK_AGAIN:
        known.looked_at = time.monotonic()
        await look_after()


async def look_after() -> None:
    """Keep each ballast as large as it should be, and notify of disks that fill up."""
    away = await places.away_ids()
    roots = {paths.root_of(row) for row in await Location.exclude(id__in=away)}
    for root in sorted(roots - memory.of(_Memory).borrowed):
        wanted = min(max(_ROOT_LEAST, disks.asked_bytes(root) + _SLACK), _ROOT_MOST)
        ballast = paths.ballast(root)
        memory.of(_Memory).wanted[root] = await asyncio.to_thread(
            _resize, ballast, wanted, _ROOT_SHARE
        )
    if runtime.settings().database.url is None:
        database = Ballast(runtime.paths().ballast)
        await asyncio.to_thread(_resize, database, _DATABASE_BYTES, _DATABASE_SHARE)
    await disk_alarms.check_disks()


def _resize(ballast: Ballast, wanted: int, share: int) -> int:
    """Resize a ballast as far as there is room; how large it should be."""
    with suppress(OSError):
        space = disks.measure(ballast.path.parent)
        enabled = runtime.settings().storage.ballast
        wanted = min(wanted, space.total_bytes // share) if enabled else 0
        if wanted <= ballast.size:
            ballast.shrink(wanted)
            return wanted
        room_above = max(0, space.free_bytes - 2 * space.reserve_bytes)
        ballast.grow(min(wanted, ballast.size + room_above))
        return wanted
    return 0


async def estimate() -> None:
    """Estimate what borg asks of each storage root, for the largest repository there."""
    there = Repository.filter(deleted_at=None).exclude(location_id__in=await places.away_ids())
    found = [repository_infos.place_of(row) for row in await there.select_related("location")]
    disks.note_asked(await asyncio.to_thread(_largest, found))


def _largest(where: list[paths.Place]) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for place in where:
        found[place.root] = max(found.get(place.root, 0), room.needed_bytes(place.repository))
    return found
