"""Moving repositories: copied while they are in use, then switched while no session runs.

    copying     passes bring the copy in `.moving` of the new place up to date; every file is
                verified before it gets its name. As soon as no session runs, sessions are refused
                for the last difference, the copy is compared with the original and put in place,
                and one transaction makes it count
    clearing    the former copy goes to the trash of its storage root
    cancelling  what was copied is removed

After a crash, the next server continues with the same row: before the transaction the former place
counts, and after it the new one.
"""

from __future__ import annotations

import asyncio

from hive import log, long_work, signals
from hive.background import unbroken
from hive.borg import locks
from hive.borg.repository import snapshot
from hive.driver_error import DriverError
from hive.errors import Conflict, HiveError
from hive.kinds import OPEN_MOVES, MoveState
from hive.long_work import WorkKind
from hive.models import Location, Move, Repository
from hive.sentences import say
from hive.services.lifecycle import move_steps as steps
from hive.services.lifecycle import moves
from hive.services.measurements import statistics
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.storage import paths
from hive.tree_copy import StoppedError, TreeCopy
from hive.waiting import Stir

logger = log.get(__name__)

_LOOK_EVERY = 15.0  # seconds
_ASK_AGAIN = 2.0  # whether a session is over
_LOCKS = ("lock.exclusive", "lock.roster")  # borg's, which are no part of a copy


class Mover:
    """One for a server, as long as it runs; or for one command where no server does."""

    def __init__(self) -> None:
        self._stir = Stir()
        self._copy: TreeCopy | None = None
        self._at: int | None = None  # the repository that is copied
        self._copied: set[int] = set()  # rows of which one pass is done

    async def run(self) -> None:
        """Do what is wanted until cancelled."""
        unsubscribe = signals.subscribe(self._on_happening)
        try:
            while True:
                is_open = await self.work()
                await self._stir.wait(_ASK_AGAIN if is_open else _LOOK_EVERY)
        finally:
            if self._copy is not None:
                self._copy.stop()
            unsubscribe()

    async def work(self) -> bool:
        """Take one turn at each repository that is on its way; whether one is left."""
        is_open = False
        try:
            for row in await Move.filter(state__in=OPEN_MOVES).order_by("id"):
                await unbroken(self._take(row.id), name="move a repository")
                is_open = is_open or (await moves.get(row.id)).is_open
        except (HiveError, DriverError, OSError) as error:
            logger.error("a move failed", reason=str(error))
        return is_open

    def _on_happening(self, happening: signals.Happening) -> None:
        if isinstance(happening, signals.MoveWanted):
            if self._copy is not None and self._at == happening.repository_id:
                self._copy.stop()  # it may be cancelled
            self._stir.set()

    async def _take(self, move_id: int) -> None:
        row = await steps.claim(move_id)
        if row is None:
            return
        repository = await Repository.get(id=row.repository_id).select_related("location")
        with log.context(repository=repository.login):
            try:
                if row.state == MoveState.CLEARING:
                    await steps.clear(row, repository)
                elif row.state == MoveState.CANCELLING or repository.deleted_at is not None:
                    await steps.give_up(
                        row, repository, MoveState.CANCELLED, say("It was cancelled.")
                    )
                else:
                    await self._move(row, repository)
            except steps.WaitsError as waits:
                await steps.note_waiting(row, waits.message)
            except StoppedError:
                pass
            except HiveError as error:
                await steps.failed(row, repository, error.message)
            except OSError as error:
                await steps.failed(row, repository, error.strerror or str(error))

    async def _move(self, row: Move, repository: Repository) -> None:
        target = await Location.get_or_none(id=row.target_id)
        if target is None:
            raise Conflict("The location %(name)s was deleted.", name=row.target_name)
        await steps.require_there(repository.location, target)
        here = repository_infos.place_of(repository)
        there = paths.place(target, repository.login, repository.directory)
        if here.root.resolve() == there.root.resolve():
            await self._switch_in_peace(row, repository, here, there, None)
            return
        if row.id in self._copied and await steps.is_in_use(repository.id):
            raise steps.WaitsError(say("It is switched as soon as no session runs."))
        async with long_work.under_way(repository.id, WorkKind.MOVE) as work:
            work.keep()
            copy = TreeCopy(here.repository, steps.staging(there), work.meter, besides=_LOCKS)
            self._copy, self._at = copy, repository.id
            try:
                await asyncio.to_thread(steps.make_ready, there)
                await asyncio.to_thread(copy.bring_up_to_date)
                self._copied.add(row.id)
                await self._switch_in_peace(row, repository, here, there, copy)
            finally:
                self._copy = self._at = None
        long_work.forget(repository.id, WorkKind.MOVE)

    async def _switch_in_peace(
        self,
        row: Move,
        repository: Repository,
        here: paths.Place,
        there: paths.Place,
        copy: TreeCopy | None,
    ) -> None:
        """Keep sessions out, copy the last difference, and make the new place count."""
        await maintenance.interrupt_upkeep(repository.id)
        try:
            await maintenance.begin(repository.id, maintenance.MOVING)
        except Conflict as error:
            raise steps.WaitsError(say("It is switched as soon as no session runs.")) from error
        try:
            if copy is not None:
                await steps.require_no_import(here)
                await steps.lock(here)
                await asyncio.to_thread(copy.bring_up_to_date, is_at_rest=True)
                await asyncio.to_thread(copy.require_same)
                await asyncio.to_thread(steps.put_in_place, copy, there)
            after = await asyncio.to_thread(snapshot, there.repository)
            await steps.switch(row, after, is_copied=copy is not None)
        finally:
            await asyncio.to_thread(locks.release, here.repository, steps.me())
            await maintenance.end(repository.id)
        self._copied.discard(row.id)
        if copy is not None:
            await steps.clear(await Move.get(id=row.id), repository)
        await statistics.measure(repository.id)
