"""Changes that did not come through the gate: an administrator's borg, a restored disk.

inotify only says where to look; comparing the disk with what was known shows what happened.
So a lost notice costs time, never a wrong event: an overflow, a directory that cannot be watched
and the start of the server are answered by looking at everything.

Nothing is reported while the gate or a maintenance uses a repository; it is looked at when that
is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from asyncinotify import Event as Notice
from asyncinotify import Inotify, Mask
from tortoise.functions import Max

from hive import clock, log, signals
from hive.background import spawn
from hive.borg import last_backup
from hive.borg.last_backup import DiskBackup
from hive.borg.locks import Holder, exclusive_holder
from hive.borg.repository import Snapshot, changed_at, damage, snapshot, state_of
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import DatabaseError, HiveError
from hive.kinds import EventKind, Need
from hive.models import Event, Repository, Session
from hive.paging import in_pages
from hive.sentences import say
from hive.services import events, runtime
from hive.services.alarms import alarms
from hive.services.alarms.rules import Finding
from hive.services.health import review
from hive.services.installation import presence
from hive.services.measurements import disk_backups, statistics
from hive.services.measurements.place_watches import Watches
from hive.services.repositories import infos as repository_infos
from hive.services.sessions import integrity, record
from hive.services.storage import places
from hive.waiting import Stir

logger = log.get(__name__)

_ARRIVAL_SECONDS = 10.0
_FIRST_COMMIT_SECONDS = 60.0
_ASK_AGAIN_SECONDS = 5.0  # whether a maintenance is over; whether the database answers again


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What the disk shows of a repository, and who holds it past the gate."""

    local_holder: Holder | None
    after: Snapshot
    disk: DiskBackup
    missing: str | None
    is_at_rest: bool  # nothing was copied there a moment ago


class LocalChangeWatch:
    """Looks at repositories when something moves in them, and at all of them now and then."""

    def __init__(
        self,
        *,
        settle_seconds: float = 1.0,
        rescan_seconds: float = 600.0,
        arrival_seconds: float = _ARRIVAL_SECONDS,
    ) -> None:
        self._settle_seconds = settle_seconds  # a commit makes and removes several files
        self._rescan_seconds = rescan_seconds
        self._arrival_seconds = arrival_seconds  # without a change, after which a copy is complete
        self._watches = Watches()
        self._to_look_at: set[int] = set()
        self._stir = Stir()
        self._rescan_is_due = True
        self._rescan_at = 0.0  # on the loop's clock
        self._held_locally: set[int] | None = None
        self._damaged: dict[int, str | None] = {}  # what was missing at the last look

    @property
    def watched(self) -> frozenset[int]:
        """The repositories whose directories are watched just now."""
        return self._watches.repositories

    async def run(self) -> None:
        """Watch until cancelled."""
        with _opened_inotify() as inotify:
            self._watches = Watches(inotify)
            unsubscribe = signals.subscribe(self._on_happening)
            reader = spawn(self._read(inotify), name="read inotify")
            try:
                while True:
                    await self._look_around()
                    await self._wait()
            finally:
                unsubscribe()
                reader.cancel()
                await asyncio.wait([reader])  # it reads from what is closed next

    async def _wait(self) -> None:
        seconds = self._rescan_at - asyncio.get_running_loop().time()
        if self._to_look_at:
            seconds = min(seconds, _ASK_AGAIN_SECONDS)
        await self._stir.wait(seconds, settle=self._settle_seconds)

    def stir(self, repository_ids: Iterable[int] | None = None) -> None:
        """Have these repositories looked at soon; None means all."""
        if repository_ids is None:
            self._rescan_is_due = True
        else:
            self._to_look_at.update(repository_ids)
        self._stir.set()

    def _on_happening(self, happening: signals.Happening) -> None:
        # The gate may have made or replaced the directory: see to it that it is watched.
        if isinstance(happening, signals.RepositoryEvent):
            self.stir([happening.repository_id])
        elif isinstance(happening, signals.StorageChanged):
            self.stir()

    async def _read(self, inotify: Inotify | None) -> None:
        if inotify is None:
            return
        async for notice in inotify:
            self._hear(notice)

    def _hear(self, notice: Notice) -> None:
        if Mask.Q_OVERFLOW in notice.mask:
            logger.warning("too much happened at once: looking at all repositories")
            self.stir()
            return
        repository_id = self._watches.hear(notice)
        if repository_id is not None:
            self.stir([repository_id])
        if awaited := self._watches.awaited(notice):
            self.stir(awaited)

    async def _look_around(self) -> None:
        now = asyncio.get_running_loop().time()
        # However much stirs: those that cannot be watched have their turn.
        is_rescan = self._rescan_is_due or now >= self._rescan_at
        wanted = self._to_look_at
        self._rescan_is_due, self._to_look_at = False, set()
        query = Repository.filter(deleted_at=None)
        if not is_rescan:
            query = query.filter(id__in=list(wanted))
        try:
            if self._held_locally is None:
                self._damaged = await integrity.found_by_looks()
                self._held_locally = await _left_open()
            found: set[int] = set()
            async for rows in in_pages(query.select_related("location")):
                found.update(row.id for row in rows)
                for row in rows:
                    await self._look(row)
        except DriverError as error:
            logger.error("repositories cannot be looked at", reason=str(error))
            self._to_look_at |= wanted
            if is_rescan:
                self._rescan_at = now + _ASK_AGAIN_SECONDS
            return
        if is_rescan:
            self._rescan_at = now + self._rescan_seconds
        for repository_id in (self.watched if is_rescan else wanted) - found:
            self._watches.drop(repository_id)  # it is deleted and lies in the trash

    async def _look(self, row: Repository) -> None:
        """Look at one repository; its trouble is not the others'."""
        try:
            path = repository_infos.place_of(row).repository
            if presence.words(row.location_id) is not None:
                self._watches.drop(row.id)
                return  # all are looked at when it is back
            self._watches.put(row.id, path)
            if row.maintenance is not None:
                self._to_look_at.add(row.id)
            elif await self._is_new(row, path):
                await self._tell(row.id, path)
        except (DatabaseError, DriverError) as error:
            self._to_look_at.add(row.id)
            logger.error("cannot be noted", repository=row.login, reason=str(error))
        except (HiveError, OSError) as error:
            logger.error("cannot be looked at", repository=row.login, reason=str(error))

    async def _is_new(self, row: Repository, path: Path) -> bool:
        """Whether the disk shows anything that was not told: at rest, this is all that is done."""
        state, holder, missing = await asyncio.to_thread(_glance, path)
        return (
            state != row.known_state
            or (holder is not None) != self._is_held(row.id)
            or missing != self._damaged.get(row.id)
        )

    def _is_held(self, repository_id: int) -> bool:
        return self._held_locally is not None and repository_id in self._held_locally

    async def _tell(self, repository_id: int, path: Path) -> None:
        row = await Repository.get_or_none(id=repository_id, deleted_at=None)
        if row is None or await _in_use(repository_id):
            return  # the gate sees for itself, and its word at the end stirs
        look = await asyncio.to_thread(_look_closely, path, self._arrival_seconds)
        if not await places.is_there(repository_id, max_age=0):
            return  # not this repository has changed: its whole storage is away
        changed = await _note(row, look, was_held=self._is_held(repository_id))
        if changed is None or _is_arriving(row, look):
            self._to_look_at.add(repository_id)
        if changed is None:
            return
        if self._held_locally is not None:
            self._held_locally.discard(repository_id)
            if look.local_holder is not None:
                self._held_locally.add(repository_id)
        if look.missing != self._damaged.get(repository_id):
            await integrity.note_look(repository_id, look.missing)
            self._damaged[repository_id] = look.missing
            changed = True
        if changed:
            await statistics.measure(repository_id, is_local=True)


def _opened_inotify() -> AbstractContextManager[Inotify | None]:
    try:
        return Inotify()
    except OSError as error:
        logger.warning(
            "repositories cannot be watched: they are looked at now and then; `hive doctor`"
            " says more",
            reason=str(error),
        )
        return nullcontext()


def _glance(path: Path) -> tuple[str, Holder | None, str | None]:
    return state_of(path), _local_holder(path), damage(path)


def _look_closely(path: Path, arrival_seconds: float = 0.0) -> _Look:
    # The lock first: what its holder did is on disk when the lock is gone.
    holder = _local_holder(path)
    after = snapshot(path)
    is_begun = after.config is not None and after.transaction is None  # before the first commit
    needed = max(arrival_seconds, _FIRST_COMMIT_SECONDS) if is_begun else arrival_seconds
    return _Look(
        local_holder=holder,
        after=after,
        disk=last_backup.read(path),
        missing=damage(path),
        # of the system's clock, as the times of files are
        is_at_rest=time.time() - changed_at(path) >= needed,
    )


def _local_holder(path: Path) -> Holder | None:
    holder = exclusive_holder(path)
    return None if holder is None or holder.host_id == runtime.host_id() else holder


async def _in_use(repository_id: int) -> bool:
    running = Session.filter(repository_id=repository_id, ended_at=None)
    return await running.exclude(need=Need.STATUS).exists()


async def _left_open() -> set[int]:
    """Repositories whose last report was that somebody holds them past the gate."""
    told = Event.filter(kind__in=(EventKind.OPENED_LOCALLY, EventKind.CLOSED_LOCALLY))
    newest = await told.annotate(newest=Max("id")).group_by("repository_id").values("newest")
    last = Event.filter(id__in=[row["newest"] for row in newest], kind=EventKind.OPENED_LOCALLY)
    return {row["repository_id"] for row in await last.values("repository_id")}


@transactional
async def _note(before: Repository, look: _Look, *, was_held: bool) -> bool | None:
    """Record what is new, in the order in which it happened; whether the content changed.

    None if somebody came in between: what was seen must not be reported then.
    """
    row = await Repository.get(id=before.id)
    is_disturbed = row.maintenance is not None or await _in_use(row.id)
    if is_disturbed or row.known_state != before.known_state:
        return None
    holder = look.local_holder
    if holder is not None and not was_held:
        message = say(
            "A borg on %(host_id)s (process %(pid)s) holds the lock.",
            host_id=holder.host_id,
            pid=holder.pid,
        )
        await events.record(row.id, EventKind.OPENED_LOCALLY, message, origin="local")
    changed = row.known_state != look.after.state
    if changed and _is_arriving(row, look):
        changed = False  # it is looked at again
    if changed:
        changed = await _note_change(row, look)
    if holder is None and was_held:
        message = say("The lock that was held past the gate is gone.")
        await events.record(row.id, EventKind.CLOSED_LOCALLY, message, origin="local")
    return changed


def _is_arriving(row: Repository, look: _Look) -> bool:
    """Whether a repository is found where none was, and something is at it still."""
    is_new = look.after.is_created and not row.known_state
    return is_new and (look.local_holder is not None or not look.is_at_rest)


async def _note_change(row: Repository, look: _Look) -> bool:
    """Keep the state that the disk shows, and tell of it unless it is the first that is seen."""
    after = look.after
    if not after.is_created and row.initialized_at is not None:
        await Repository.filter(id=row.id).update(vanished_at=clock.now())
    await record.note_snapshot(row.id, after)
    if after.is_created and not row.known_state:
        await disk_backups.note_arrival(row.id, look.disk, after.transaction)
    elif after.is_created and after.config is None:
        await review.estimate_backup(row.id, look.disk.at)  # borg 2
    if row.known_state is None:
        return after.is_created  # nothing to tell, but to measure
    if after.is_created or row.initialized_at is None:
        message = say("The repository was changed past the gate.")
        await events.record(row.id, EventKind.UPDATED_LOCALLY, message, origin="local")
    else:
        message = say("The content of the repository is gone from the disk.")
        gone = Finding(EventKind.CONTENT_GONE, message, {"origin": "local"})
        await alarms.tell(row.id, [gone])  # measuring may have found it first
    return True
