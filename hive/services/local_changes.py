"""Changes that did not come through the gate: an administrator's borg, a restored disk.

inotify only says where to look; what happened is told by comparing the disk with what was known.
So a lost notice costs time, never a wrong event: an overflow, a directory that cannot be watched
and the start of the server are answered by looking at everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from asyncinotify import Event, Inotify, Mask, Watch

from hive import events as happenings
from hive import log
from hive.borg.locks import Holder, exclusive_holder
from hive.borg.repository import Snapshot, last_written_at, snapshot
from hive.database import DriverError, spawn, transactional
from hive.errors import HiveError
from hive.kinds import EventKind, Need
from hive.models import Repository, Session
from hive.services import events, repositories, runtime, sessions, statistics

logger = log.get(__name__)

# The directory itself only: `data` changes all the time, and says less than `index.N`.
_MASK = (
    Mask.CREATE
    | Mask.DELETE
    | Mask.MOVED_TO
    | Mask.MOVED_FROM
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
    | Mask.DONT_FOLLOW
)


class Watcher:
    """Looks at repositories when something moves in them, and at all of them now and then."""

    def __init__(self, *, settle_seconds: float = 1.0, rescan_seconds: float = 600.0) -> None:
        self._settle_seconds = settle_seconds  # a commit makes and removes several files
        self._rescan_seconds = rescan_seconds
        self._watched: dict[int, Watch] = {}
        self._by_path: dict[Path, int] = {}
        self._to_look_at: set[int] = set()
        self._stirred = asyncio.Event()
        self._rescan_is_due = True
        self._held_locally: set[int] = set()
        self._limit_was_told = False

    async def run(self) -> None:
        """Watch until cancelled."""
        with Inotify() as inotify:
            unsubscribe = happenings.subscribe(self._on_happening)
            reader = spawn(self._read(inotify), name="read inotify")
            try:
                while True:
                    self._stirred.clear()  # before looking: what stirs meanwhile counts
                    await self._look_around(inotify)
                    await self._wait()
            finally:
                reader.cancel()
                unsubscribe()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._rescan_seconds):
                await self._stirred.wait()
        except TimeoutError:
            self._rescan_is_due = True
        else:
            await asyncio.sleep(self._settle_seconds)

    def stir(self, repository_ids: Iterable[int] | None = None) -> None:
        """Have these repositories looked at soon; None means all."""
        if repository_ids is None:
            self._rescan_is_due = True
        else:
            self._to_look_at.update(repository_ids)
        self._stirred.set()

    def _on_happening(self, happening: happenings.Happening) -> None:
        # The gate may have made or replaced the directory: see to it that it is watched.
        if isinstance(happening, happenings.RepositoryEvent):
            self.stir([happening.repository_id])

    async def _read(self, inotify: Inotify) -> None:
        async for event in inotify:
            self._hear(event)

    def _hear(self, event: Event) -> None:
        if Mask.Q_OVERFLOW in event.mask or event.watch is None:
            logger.warning("too much happened at once: looking at all repositories")
            self.stir()
            return
        repository_id = self._by_path.get(event.watch.path)
        if repository_id is None:
            return
        if Mask.IGNORED in event.mask:
            self._forget(repository_id)
        self.stir([repository_id])

    def _forget(self, repository_id: int) -> None:
        watch = self._watched.pop(repository_id, None)
        if watch is not None:
            self._by_path.pop(watch.path, None)

    async def _look_around(self, inotify: Inotify) -> None:
        due, self._rescan_is_due = self._rescan_is_due, False
        wanted, self._to_look_at = self._to_look_at, set()
        query = Repository.filter(deleted_at=None)
        if not due:
            query = query.filter(id__in=list(wanted))
        try:
            rows = await query.select_related("location")
        except DriverError as error:
            logger.error("repositories cannot be looked at", reason=str(error))
            return
        for row in rows:
            await self._look(inotify, row)

    async def _look(self, inotify: Inotify, row: Repository) -> None:
        """Look at one repository; its trouble is not the others'."""
        try:
            path = repositories.place_of(row).repository
            self._watch(inotify, row.id, path)
            await self._compare(row.id, path)
        except (HiveError, DriverError, OSError) as error:
            logger.error("cannot be looked at", repository=row.login, reason=str(error))

    def _watch(self, inotify: Inotify, repository_id: int, path: Path) -> None:
        watch = self._watched.get(repository_id)
        if watch is not None and watch.path != path:
            with suppress(OSError):
                inotify.rm_watch(watch)
            self._forget(repository_id)
        if repository_id in self._watched or not path.is_dir():
            return
        try:
            self._watched[repository_id] = inotify.add_watch(path, _MASK)
            self._by_path[path] = repository_id
        except OSError as error:
            if not self._limit_was_told:
                self._limit_was_told = True
                logger.warning(
                    "not all repositories can be watched: they are looked at now and then;"
                    " `hive doctor` says more",
                    reason=str(error),
                )

    async def _compare(self, repository_id: int, path: Path) -> None:
        if await _in_use(repository_id):
            return  # the gate sees for itself
        after = await asyncio.to_thread(snapshot, path)
        holder = await asyncio.to_thread(exclusive_holder, path)
        await self._note_lock(repository_id, holder)
        written_at = await asyncio.to_thread(last_written_at, path)
        if await note_change(repository_id, after, written_at):
            await statistics.measure(repository_id, is_local=True)

    async def _note_lock(self, repository_id: int, holder: Holder | None) -> None:
        is_local = holder is not None and holder.host_id != runtime.host_id()
        was_local = repository_id in self._held_locally
        if is_local and not was_local and holder is not None:
            self._held_locally.add(repository_id)
            message = f"A borg on {holder.host_id} (process {holder.pid}) holds the lock."
            await _record(repository_id, EventKind.OPENED_LOCALLY, message)
        elif was_local and not is_local:
            self._held_locally.discard(repository_id)
            message = "The lock that was held past the gate is gone."
            await _record(repository_id, EventKind.CLOSED_LOCALLY, message)


async def _in_use(repository_id: int) -> bool:
    running = Session.filter(repository_id=repository_id, ended_at=None)
    return await running.exclude(need=Need.STATUS).exists()


@transactional
async def note_change(
    repository_id: int, after: Snapshot, written_at: datetime | None = None
) -> bool:
    """Record that the disk shows another state than the gate left; whether it does."""
    if await _in_use(repository_id):
        return False  # it began while the disk was looked at
    repository = await Repository.get(id=repository_id)
    if repository.known_state == after.state:
        return False
    is_first_look = repository.known_state is None
    await sessions.note_snapshot(repository_id, after)
    is_borg2 = after.is_created and after.config is None
    if is_first_look or is_borg2:
        await sessions.estimate_backup(repository_id, written_at)
    if is_first_look:
        return False
    message = (
        "The repository was changed past the gate."
        if after.is_created
        else "The repository's content is gone from the disk."
    )
    await events.record(repository_id, EventKind.UPDATED_LOCALLY, message, origin="local")
    return True


@transactional
async def _record(repository_id: int, kind: EventKind, message: str) -> None:
    await events.record(repository_id, kind, message, origin="local")
