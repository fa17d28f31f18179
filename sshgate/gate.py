"""What all connections of the gate share: settings, limits, running sessions, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from hive import clock, log, signals
from hive.background import spawn
from hive.config.settings import SshSettings
from hive.driver_error import DriverError
from hive.errors import AccessRefused, HiveError, RefusalCause, Unavailable
from hive.kinds import EndReason
from hive.services.gate import admission, client_addresses, unrecorded
from hive.services.programs.discovery import Programs
from hive.services.programs.host import Host
from hive.services.repositories.quota_watch import QuotaWatch
from hive.services.server import database_watch
from hive.services.sessions import progress, record
from hive.services.sessions.record import Outcome
from sshgate import words
from sshgate.doorman import Doorman
from sshgate.farewell import Farewells

logger = log.get(__name__)

_ADMISSION_SECONDS = 1.0  # in which a session that was just admitted has begun
_OBSERVATION_SECONDS = 5.0  # that what the door saw is collected before it is written


class RunningSession(Protocol):
    @property
    def counters(self) -> tuple[int, int]:
        """Bytes from the client and to it, so far."""
        ...

    @property
    def repository_id(self) -> int | None:
        """Of the session's repository, once it is known."""
        ...

    @property
    def process_id(self) -> int | None:
        """Of its program, once that was started."""
        ...

    @property
    def is_breaking_locks(self) -> bool:
        """Whether it opened the repository without borg's lock."""
        ...

    def end(self, reason: EndReason, why: str) -> None:
        """End the session politely at first, by force in the end."""


class OpenConnection(Protocol):
    @property
    def peer(self) -> str: ...
    def close_if_unused(self, reason: str) -> None:
        """Close the connection at once unless a session runs on it."""

    def close(self, reason: str) -> None: ...


class Gate:
    """One for each server; `stop` it in the end."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.settings: SshSettings = host.settings.ssh
        self.quotas = QuotaWatch()
        self.connections: set[OpenConnection] = set()
        self.sessions: dict[int, RunningSession] = {}  # by session id
        self.rights_version = 0
        self.is_draining = False
        self.loop = asyncio.get_running_loop()
        self.doorman = Doorman(
            self.settings, self.loop.call_later, on_observation=self._write_observations_soon
        )
        self.farewells = Farewells()
        self._writes_observations = False
        self._unfinished: dict[int, Outcome] = {}
        self._lost: set[int] = set()  # open in the database, and not running here
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._unsubscribe = signals.subscribe(self._on_happening)

    @property
    def end_grace(self) -> float:
        """Seconds between asking a child to end and killing it."""
        return self.settings.end_grace_seconds

    def use_programs(self, programs: Programs) -> bool:
        """Start these programs from now on; whether they are other ones than before."""
        if programs == self.host.programs:
            return False
        self.host = replace(self.host, programs=programs)
        return True

    # the door

    async def learn_addresses(self) -> None:
        """Know the rules on addresses and who logged in lately; call before listening."""
        self.doorman.use(await client_addresses.rules())
        self.doorman.remember(await client_addresses.recent_peers())

    async def _follow_address_rules(self, released: str) -> None:
        try:
            self.doorman.use(await client_addresses.rules())
        except (HiveError, DriverError) as error:
            logger.error("the rules on addresses could not be read", reason=str(error))
        if released:
            self.doorman.release(released)
        for connection in tuple(self.connections):
            if self.doorman.is_banned(connection.peer):
                connection.close_if_unused("Your address was banned")

    def _write_observations_soon(self) -> None:
        if not self._writes_observations and not self.is_draining:
            self._writes_observations = True
            self.loop.call_later(_OBSERVATION_SECONDS, self._begin_to_write_observations)

    def _begin_to_write_observations(self) -> None:
        self._writes_observations = False
        if not self.is_draining:
            spawn(self.write_observations(), name="write observations of the door")

    async def write_observations(self) -> None:
        """Keep what the door saw, for administrators."""
        observations = self.doorman.take_observations()
        try:
            if observations:
                await client_addresses.note(observations)
        except (HiveError, DriverError) as error:
            logger.error("observations of the door were not kept", reason=str(error))

    # what a request must pass

    def check_accepting(self) -> None:
        if self.is_draining:
            raise AccessRefused(
                "The server is stopping: try again in a minute.", RefusalCause.DRAINING
            )
        if database_watch.is_lost():
            raise AccessRefused(database_watch.NO_SESSIONS, RefusalCause.UNAVAILABLE)
        if database_watch.is_silent():
            raise Unavailable(words.NO_DATABASE)  # no refusal: it could not be recorded

    def check_confinement(self) -> None:
        """Refuse service where confinement is required and cannot be had in full."""
        if not self.host.may_run:
            raise AccessRefused(
                "The server cannot confine its programs as it is configured to: `hive doctor` says"
                " what is missing.",
                RefusalCause.UNAVAILABLE,
            )

    # sessions

    def session_opened(self, session_id: int, session: RunningSession) -> None:
        self.sessions[session_id] = session
        self._at_rest.clear()

    def session_closed(self, session_id: int) -> None:
        del self.sessions[session_id]
        if not self.sessions:
            self._at_rest.set()

    def in_the_way(self, repository_id: int, session_id: int) -> str | None:
        """Return what else uses the repository of this session, in words; None if nothing does."""
        others = (number for number, _ in self._others(repository_id, session_id))
        first = min(others, default=None)
        return None if first is None else f"session {first}"

    def check_locks_hold(self, repository_id: int, session_id: int) -> None:
        """Refuse a session of borg while another one may break the locks of its repository."""
        for number, other in self._others(repository_id, session_id):
            if other.is_breaking_locks:
                raise AccessRefused(
                    "Session %(number)s is breaking this repository's locks."
                    " Try again in a moment.",
                    RefusalCause.BUSY,
                    number=number,
                )

    def _others(self, repository_id: int, session_id: int) -> list[tuple[int, RunningSession]]:
        return [
            (number, session)
            for number, session in self.sessions.items()
            if number != session_id and session.repository_id == repository_id
        ]

    def processes(self) -> dict[int, int]:
        """The running sessions by the ids of their programs."""
        found = {session.process_id: number for number, session in self.sessions.items()}
        return {pid: number for pid, number in found.items() if pid is not None}

    def show_progress(self) -> None:
        """Tell how far the running sessions are; to be called once a second."""
        progress.view().update(self.counters())

    def counters(self) -> Iterator[tuple[int, int, int]]:
        """Of each running session: its id, and the bytes in and out so far."""
        return ((number, *one.counters) for number, one in self.sessions.items())

    async def finish(self, session_id: int, outcome: Outcome) -> None:
        """Close a session's row; where the database fails it is tried again later.

        It ended when this was first called, however often it is tried.
        """
        if outcome.ended_at is None:
            outcome = replace(outcome, ended_at=clock.now())
        try:
            if session_id < 0:
                recorded = await unrecorded.record(session_id)
                if recorded is None:
                    return
                session_id = recorded
            await record.finish(session_id, outcome)
        except (HiveError, DriverError) as error:
            logger.error("a session could not be closed", session=session_id, reason=str(error))
            self._unfinished[session_id] = outcome

    async def finish_pending(self) -> None:
        """Close the rows that could not be closed before."""
        for session_id in tuple(self._unfinished):
            await self.finish(session_id, self._unfinished.pop(session_id))

    async def close_lost(self) -> None:
        """Close rows of sessions that do not run; of two looks, both must find them so."""
        try:
            lost = await record.open_here() - self.sessions.keys()
            closed = await record.close_lost(lost & self._lost - self._unfinished.keys())
            self._lost = lost - set(closed)
        except (HiveError, DriverError) as error:
            logger.error("lost sessions could not be closed", reason=str(error))
            return
        if closed:
            logger.warning("sessions that did not run were closed", sessions=closed)

    async def _close_if_lost(self, session_id: int) -> None:
        """Close the row of a session that somebody wants to end, and that does not run."""
        await asyncio.sleep(_ADMISSION_SECONDS)
        session = self.sessions.get(session_id)
        if session is not None:  # it was about to begin
            session.end(EndReason.KILLED, "ended before it began")
            return
        try:
            if session_id in await record.open_here() and session_id not in self._unfinished:
                await record.close_lost([session_id])
        except (HiveError, DriverError) as error:
            logger.error("a session could not be closed", session=session_id, reason=str(error))

    # endings

    def _on_happening(self, happening: signals.Happening) -> None:
        if isinstance(happening, signals.RightsChanged):
            self.rights_version += 1
            spawn(self.end_disallowed(), name="end disallowed sessions")
        elif isinstance(happening, signals.AddressesChanged):
            spawn(self._follow_address_rules(happening.released), name="follow address rules")
        elif isinstance(happening, signals.QuotasChanged):
            spawn(self.quotas.quotas_changed(), name="hold sessions to new quotas")
        elif isinstance(happening, signals.EndSession):
            session = self.sessions.get(happening.session_id)
            if session is not None:
                session.end(EndReason.KILLED, happening.reason)
            else:
                spawn(self._close_if_lost(happening.session_id), name="close lost session")

    async def end_disallowed(self) -> None:
        """End the sessions that the rules of now would not let begin."""
        try:
            disallowed = await admission.no_longer_allowed(tuple(self.sessions))
            for number in [one for one in self.sessions if one < 0]:
                if (reason := await unrecorded.objection(number)) is not None:
                    disallowed[number] = reason
        except (HiveError, DriverError) as error:
            logger.error("running sessions could not be checked", reason=str(error))
            return
        for session_id, reason in disallowed.items():
            session = self.sessions.get(session_id)
            if session is not None:
                session.end(EndReason.REVOKED, reason)

    async def stop(self, drain_seconds: float) -> None:
        """Begin no more sessions, let those that run end within the time, then end them."""
        self.is_draining = True
        self.doorman.close(words.STOPPING)
        for connection in tuple(self.connections):
            connection.close_if_unused("The server is stopping")
        await self._wait_for_sessions(drain_seconds)
        for session in tuple(self.sessions.values()):
            session.end(EndReason.DRAINED, "the server is stopping")
        # A child is killed when its grace is over; the rest is writing its row.
        await self._wait_for_sessions(self.end_grace + 10)
        for connection in tuple(self.connections):
            connection.close("The server is stopping")
        self.farewells.close()
        self._unsubscribe()

    async def _wait_for_sessions(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._at_rest.wait()
