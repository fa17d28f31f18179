"""The upkeep worker: checks and compacts repositories with the server's own borg, one at a time.

A session that arrives has precedence: it asks for the repository by hive.signals.GiveWay (see
maintenance.interrupt_upkeep), borg is ended, and the upkeep goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from hive import clock, log, long_work, signals
from hive.background import unbroken
from hive.borg import upkeep as borg
from hive.borg.progress import ProgressReader
from hive.borg.repository import snapshot
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import Conflict, HiveError
from hive.kinds import UpkeepKind, UpkeepState
from hive.long_work import Work, WorkKind
from hive.models import Repository, Upkeep
from hive.sentences import say
from hive.services.measurements import statistics
from hive.services.programs import server_programs
from hive.services.programs.discovery import Program
from hive.services.programs.host import Host, borg_child
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.sessions import record
from hive.services.storage import paths, places, preparing, scratch
from hive.services.upkeep import append_only, making_room, queue
from hive.services.upkeep.parts import Parts
from hive.waiting import Stir

logger = log.get(__name__)

_LOOK_EVERY = 15.0  # seconds; a session that was in the way may have ended
_REST = 5.0  # seconds before an upkeep tries a repository again that it had to leave
_PART_SECONDS = 60  # what is lost at most of a check in parts when a session arrives
_PATIENCE = 600.0  # seconds by which borg may overrun its own limit: one segment more, the index
_WHOLE_BYTES = 20_000_000_000  # up to this size a check is done in one piece, the index included
_LIMITED = float("inf")


@dataclass
class _Turn:
    """One turn on one repository, under way."""

    row: Upkeep
    work: Work
    place: paths.Place
    stop: asyncio.Event
    deadline: float  # of time.monotonic
    begun: float
    is_partial: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


class UpkeepWorker:
    """One for a server, as long as it runs; or for one command where no server does."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stir = Stir()
        self._turn: _Turn | None = None
        self._rested_at: dict[int, float] = {}  # repository -> when it may be tried again

    def use(self, host: Host) -> None:
        """Work with the programs of this host from the next turn on."""
        self._host = host

    async def run(self) -> None:
        """Do what is wanted until cancelled."""
        unsubscribe = signals.subscribe(self._on_happening)
        try:
            while True:
                if not await self.work():
                    await self._stir.wait(_LOOK_EVERY)
        finally:
            if self._turn is not None:
                self._turn.stop.set()
            unsubscribe()

    async def work(self) -> bool:
        """Take one turn at the first repository that is free; False where none is."""
        try:
            for row in await queue.waiting():
                if self._rested_at.get(row.repository_id, 0) > time.monotonic():
                    continue
                if await unbroken(self._take(row), name="upkeep"):
                    return True
        except (HiveError, DriverError, OSError) as error:
            logger.error("upkeep failed", reason=str(error))
        return False

    def _on_happening(self, happening: signals.Happening) -> None:
        if isinstance(happening, signals.UpkeepWanted):
            self._stir.set()
        elif isinstance(happening, signals.GiveWay):
            turn = self._turn
            if turn is not None and turn.row.repository_id == happening.repository_id:
                turn.stop.set()

    async def _take(self, row: Upkeep) -> bool:
        """A turn of this row; False where a session or something else has the repository."""
        if not await places.is_there(row.repository_id):
            return False
        reason = {
            UpkeepKind.CHECK: maintenance.CHECKING,
            UpkeepKind.COMPACT: maintenance.COMPACTING,
        }[row.kind]
        try:
            await maintenance.begin(row.repository_id, reason)
        except Conflict:
            return False
        try:
            with log.context(repository=row.repository.name):
                async with long_work.under_way(row.repository_id, WorkKind(row.kind)) as work:
                    await self._turn_of(row, work)
        finally:
            self._turn = None
            await maintenance.end(row.repository_id)
        if row.kind == UpkeepKind.COMPACT:
            await statistics.measure(row.repository_id)
        return True

    async def _turn_of(self, row: Upkeep, work: Work) -> None:
        repository = await Repository.get(id=row.repository_id).select_related("location")
        minutes = self._host.settings.upkeep.minutes_a_day
        now = time.monotonic()
        deadline = now + minutes * 60 if row.asked_by is None else _LIMITED
        place = repository_infos.place_of(repository)
        turn = _Turn(row, work, place, asyncio.Event(), deadline, now)
        self._turn = turn
        try:
            await self._prepare(turn)
            try:
                await self._do(turn, repository)
            finally:
                await asyncio.to_thread(scratch.leave, turn.place)
        except making_room.BallastInUse:
            await self._leave_for_now(turn)
        except (HiveError, OSError) as error:
            if await self._went_away(turn):
                return
            words = error.message if isinstance(error, HiveError) else str(error)
            await queue.note_failed(
                row,
                say("The %(kind)s failed: %(words)s", kind=row.kind, words=words),
                seconds=turn.seconds,
            )
        await _keep_snapshot(turn)

    async def _do(self, turn: _Turn, repository: Repository) -> None:
        await queue.note_begun(turn.row)
        if turn.row.kind == UpkeepKind.CHECK:
            await self._check(turn, repository)
            return
        async with making_room.borrowed(turn.place.root):
            await self._compact(turn)

    async def _prepare(self, turn: _Turn) -> None:
        if not self._host.may_run:
            raise Conflict("The server cannot confine its programs as it is configured to.")
        owner = self._host.confinement.owner
        await asyncio.to_thread(preparing.prepare, turn.place, owner, staging=False)

    # checks

    async def _check(self, turn: _Turn, repository: Repository) -> None:
        is_borg2 = turn.place.is_borg2
        is_small = (repository.size_bytes or 0) <= _WHOLE_BYTES
        was_partial = Parts.of(turn.row).is_partial
        turn.is_partial = was_partial or not is_small
        if turn.is_partial and not was_partial:
            await self._begin_in_parts(turn)
        program = self._program(is_borg2=is_borg2)
        while True:
            ended = await self._run(turn, program, self._check_argv(turn, program, is_borg2))
            if ended.was_stopped or ended.is_overdue:
                await self._leave(turn, ended)
                return
            if ended.status != borg.GOOD and await self._went_away(turn):
                return
            if ended.status not in (borg.GOOD, borg.ERRORS_FOUND):
                await queue.note_failed(
                    turn.row, _borg_failed("check", ended), seconds=turn.seconds
                )
                return
            await _note_part(turn.row, ended)
            is_whole = await self._is_whole(turn, ended, is_borg2=is_borg2)
            if is_whole and _was_rest(turn.row):
                turn.work.meter.reset()  # now all of it
            elif is_whole:
                problems = Parts.of(turn.row).problems
                await queue.note_checked(turn.row, problems, seconds=turn.seconds)
                return
            if turn.stop.is_set() or turn.seconds_left <= 0:
                await self._leave(turn, ended)
                return

    async def _begin_in_parts(self, turn: _Turn) -> None:
        """Where somebody else's check has stopped in the middle, its rest is no whole check."""
        config = (await asyncio.to_thread(snapshot, turn.place.repository)).config
        is_rest = config is not None and borg.is_part_noted(config)
        replace(Parts.of(turn.row), is_partial=True, is_rest=is_rest).store(turn.row)

    def _check_argv(self, turn: _Turn, program: Program, is_borg2: bool) -> list[str]:
        path = turn.place.repository.resolve()
        if not turn.is_partial:
            return borg.check_argv(program.path, path, is_borg2=is_borg2)
        seconds = int(max(1, min(_PART_SECONDS, turn.seconds_left)))
        started = turn.row.started_at
        if is_borg2 and started is not None and Parts.of(turn.row).has_begun:
            since = int((clock.now() - started).total_seconds())
            return borg.continued_argv(program.path, path, seconds=seconds, since_seconds=since)
        return borg.check_argv(program.path, path, is_borg2=is_borg2, seconds=seconds)

    async def _is_whole(
        self, turn: _Turn, ended: server_programs.Finished, *, is_borg2: bool
    ) -> bool:
        if not turn.is_partial:
            return True
        if is_borg2:  # it stops before the end only where its time is up
            return ended.seconds < _PART_SECONDS
        config = (await asyncio.to_thread(snapshot, turn.place.repository)).config
        return config is None or not borg.is_part_noted(config)

    # compaction

    async def _compact(self, turn: _Turn) -> None:
        found = [] if turn.row.is_confirmed else await append_only.deletions(turn.row.repository_id)
        if found:
            await queue.note_refused(turn.row, found)
            return
        program = self._program(is_borg2=False)
        before = await asyncio.to_thread(snapshot, turn.place.repository)
        argv = borg.compact_argv(program.path, turn.place.repository.resolve())
        ended = await self._run(turn, program, argv)
        if ended.was_stopped or ended.is_overdue:
            await self._leave(turn, ended)
        elif ended.status != 0 and await self._went_away(turn):
            return
        elif ended.status != 0:
            await queue.note_failed(
                turn.row, _borg_failed("compaction", ended), seconds=turn.seconds
            )
        else:
            after = await asyncio.to_thread(snapshot, turn.place.repository)
            freed = None
            if before.size_bytes is not None and after.size_bytes is not None:
                freed = max(0, before.size_bytes - after.size_bytes)
            await queue.note_compacted(turn.row, freed, seconds=turn.seconds)

    # both

    def _program(self, *, is_borg2: bool) -> Program:
        programs = self._host.programs
        program = programs.borg2 if is_borg2 else programs.borg
        if program is None:
            raise Conflict("There is no borg %(value)s on this server.", value=2 if is_borg2 else 1)
        return program

    async def _run(
        self, turn: _Turn, program: Program, argv: list[str]
    ) -> server_programs.Finished:
        spec = borg_child(turn.place, program, argv, self._host, is_background=True)
        limit = turn.seconds_left + (_PATIENCE if turn.is_partial else 0)
        confinement = self._host.confinement
        reader = ProgressReader(turn.work.meter)
        return await server_programs.run(
            spec, confinement, seconds=limit, stop=turn.stop, reader=reader
        )

    async def _went_away(self, turn: _Turn) -> bool:
        """Whether the whole storage is away: then wait for it, and nothing is said of borg."""
        if await places.is_there(turn.row.repository_id, max_age=0):
            return False
        await self._leave_for_now(turn)
        return True

    async def _leave_for_now(self, turn: _Turn) -> None:
        """Something that passes is in the way: try again soon."""
        turn.work.keep()
        self._rested_at[turn.row.repository_id] = time.monotonic() + _LOOK_EVERY
        await queue.note_turn(turn.row, UpkeepState.WAITING, seconds=turn.seconds)

    async def _leave(self, turn: _Turn, ended: server_programs.Finished) -> None:
        """Leave the repository to a session, or its rest to another day."""
        turn.work.keep()
        if not turn.is_partial:
            turn.work.meter.reset()  # the next turn begins at the beginning
        if turn.row.kind == UpkeepKind.CHECK and not turn.is_partial:
            # in one piece it would begin again each time
            replace(Parts.of(turn.row), is_partial=True).store(turn.row)
        is_interrupted = ended.was_stopped or turn.stop.is_set()
        self._rested_at[turn.row.repository_id] = time.monotonic() + _REST
        await queue.note_turn(
            turn.row,
            UpkeepState.WAITING if is_interrupted else UpkeepState.PAUSED,
            seconds=turn.seconds,
            is_interrupted=is_interrupted,
        )
        logger.info("upkeep gives way", seconds=round(turn.seconds))


def _was_rest(row: Upkeep) -> bool:
    """Whether what has just come to its end was only the rest of another check."""
    parts = Parts.of(row)
    replace(parts, is_rest=False).store(row)
    return parts.is_rest


async def _note_part(row: Upkeep, ended: server_programs.Finished) -> None:
    """Keep what a part has found: the next may come after a restart of the server."""
    parts = Parts.of(row)
    found = borg.problems_in(ended.output) if ended.status == borg.ERRORS_FOUND else ()
    replace(parts, has_begun=True, problems=(*parts.problems, *found)).store(row)
    await queue.note_turn(row, row.state, seconds=0)


async def _keep_snapshot(turn: _Turn) -> None:
    """What the server's own borg changed is no change past the gate."""
    after = await asyncio.to_thread(snapshot, turn.place.repository)
    if not after.is_created and not await places.is_there(turn.row.repository_id, max_age=0):
        return

    @transactional
    async def write() -> None:
        await record.note_snapshot(turn.row.repository_id, after, by_hive=True)

    await write()


def _borg_failed(what: str, ended: server_programs.Finished) -> str:
    lines = [line.strip() for line in ended.output.splitlines() if line.strip()]
    reason = " ".join(lines[-3:])[:500] or say("it said nothing")
    return say(
        "The %(what)s failed, borg ended with status %(status)s: %(reason)s",
        what=what,
        status=ended.status,
        reason=reason,
    )
