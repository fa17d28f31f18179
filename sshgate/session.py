"""One exec request, from the client's words to the exit status."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import asyncssh

from hive import log
from hive.background import spawn
from hive.borg.observer import Observer
from hive.borg.repository import Snapshot, snapshot
from hive.borg.request_filter import RequestFilter
from hive.borg.rpc_policy import Phase
from hive.driver_error import DriverError
from hive.errors import AccessRefused, DatabaseFull, HiveError, RefusalCause, Unavailable
from hive.kinds import EndReason, Need
from hive.process.child import Child
from hive.services.gate import admission as access
from hive.services.gate import unrecorded
from hive.services.gate.admission import Admission
from hive.services.measurements import uncommitted
from hive.services.repositories import locks, maintenance
from hive.services.repositories.quota_watch import Meter
from hive.services.server import handover
from hive.services.sessions.record import Outcome
from hive.services.storage import paths, places, scratch
from sshgate import command, refusal, status, words
from sshgate.brake import Brake
from sshgate.channel import GateChannel
from sshgate.command import Rsync, ShowStatus
from sshgate.inbox import Inbox
from sshgate.owner import Owner
from sshgate.plan import Plan, make_plan, need_of
from sshgate.relay import Relay
from sshgate.room import Room
from sshgate.serving import (
    NOT_BEGUN,
    REJECTED_STATUS,
    Purpose,
    end_child,
    filter_of,
    has_not_begun,
    make_view,
    may_write,
    measure_later,
    metered,
    observer_of,
    reason_of,
    refused_outcome,
    seen_of,
    settle,
    shell_status,
    with_less,
    with_what_the_disk_says,
)

logger = log.get(__name__)

REFUSED_STATUS = 126  # "found, but may not be run", as shells say it
FAILED_STATUS = 125
_WRITE_BUFFER = 512 * 1024  # bytes for a slow client before the child is held back


class GateSession(asyncssh.SSHServerSession[bytes]):
    """The channel of one command."""

    def __init__(self, connection: Owner) -> None:
        self.admission: Admission | None = None
        self._connection = connection
        self._gate = connection.gate
        self._channel: GateChannel | None = None
        self._command: str | None = None
        self._subsystem: str | None = None
        self._child: Child | None = None
        self._relay: Relay | None = None
        self._requests: RequestFilter | None = None
        self._inbox = Inbox()
        self._room: Room | None = None
        self._purpose: Purpose | None = None
        self._brake = Brake(self.end)
        self._end: tuple[EndReason, str] | None = None
        self._is_ending = False

    # what asyncssh calls

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = cast("GateChannel", chan)
        chan.set_write_buffer_limits(high=_WRITE_BUFFER, low=_WRITE_BUFFER // 4)

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        # It is accepted to be refused in words: a client shows those, but no reason for a failure.
        self._subsystem = subsystem
        return True

    def session_started(self) -> None:
        self._connection.session_started(self)
        spawn(self._run(), name="ssh session")

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._relay is not None:
            self._relay.feed(data)
            self._look_at_what_passed()
        elif self._channel is not None:
            self._inbox.put(data, self._channel)

    def eof_received(self) -> bool:
        if self._relay is not None:
            self._relay.feed_eof()
        self._inbox.put_eof()
        return True  # the other direction stays open

    def pause_writing(self) -> None:
        if self._relay is not None:
            self._relay.pause_writing()

    def resume_writing(self) -> None:
        if self._relay is not None:
            self._relay.resume_writing()

    def signal_received(self, signal: str) -> None:
        if signal in {"HUP", "INT", "TERM"}:
            self.end(EndReason.CLIENT_GONE, "")

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._inbox.close()
        self._connection.session_ended(self)
        if self._relay is not None:
            self._relay.client_gone()
        if self._child is not None and self._child.status is None:
            self.end(EndReason.CLIENT_GONE, "")
        elif self._child is None and self._end is None:
            self._end = (EndReason.CLIENT_GONE, "")

    # what the gate calls

    @property
    def counters(self) -> tuple[int, int]:
        """Bytes from the client and to it, so far."""
        return (self._relay.bytes_in, self._relay.bytes_out) if self._relay else (0, 0)

    @property
    def repository_id(self) -> int | None:
        if self.admission is None or self.admission.need == Need.STATUS:
            return None
        return self.admission.repository_id

    @property
    def process_id(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def is_breaking_locks(self) -> bool:
        return self._requests is not None and self._requests.phase is Phase.LOCKED

    def end(self, reason: EndReason, why: str) -> None:
        """End the session politely at first, by force in the end; the first reason counts."""
        if self._end is None:
            self._end = (reason, why)
            if why:
                self._say(f"this session was ended: {why}.")
        # Once: a client may send signals by the thousand.
        if self._child is not None and self._relay is not None and not self._is_ending:
            self._is_ending = True
            self._relay.note_end()
            ending = end_child(self._child, self._relay, self._channel, self._gate.end_grace)
            spawn(ending, name="end child")

    def flush(self) -> None:
        """Go on sending: the connection has room again."""
        if self._channel is not None:
            self._channel.flush()

    # the way of a session

    async def _run(self) -> None:
        with log.context(login=self._connection.identity.login, peer=self._connection.peer):
            try:
                exit_status = await self._answer()
            except AccessRefused as refused:
                exit_status = REFUSED_STATUS
                await self._note_refusal(refused)
                await self._refuse(refused.message)
            except (HiveError, DriverError) as error:
                exit_status = FAILED_STATUS
                logger.error("session failed", reason=str(error))
                await self._fail(
                    error.message if isinstance(error, HiveError) else words.NO_DATABASE
                )
            except Exception:
                exit_status = FAILED_STATUS
                logger.exception("session failed unexpectedly")
                self._say("The server failed: its log says more.")
            if self._channel is not None:
                self._channel.exit(exit_status)
            self._connection.session_done(self)

    async def _answer(self) -> int:
        if self._subsystem is not None:
            raise AccessRefused(
                "Subsystem %(subsystem)s is not offered: this server takes borg and, in the modes"
                " IMPORT and EXPORT, rsync.",
                RefusalCause.COMMAND,
                subsystem=ascii(self._subsystem)[:40],
            )
        request = self._parsed()
        self._gate.check_accepting()
        seen_rights = self._gate.rights_version
        admission = await self._admit(need_of(request))
        self.admission = admission
        self._gate.session_opened(admission.session_id, self)
        with log.context(session=admission.session_id, repository=admission.name):
            try:
                if seen_rights != self._gate.rights_version:
                    await self._gate.end_disallowed()
                return await self._serve(admission, request)
            finally:
                self._gate.session_closed(admission.session_id)

    def _parsed(self) -> command.Request:
        return command.parse(self._command, self._gate.settings.max_command_length)

    async def _admit(self, need: Need) -> Admission:
        identity = self._connection.identity
        request = access.SessionRequest(
            need, self._command or "", self._connection.peer, self._connection.client_version
        )
        await access.look_at_storage(identity)
        try:
            return await access.admit(identity, request)
        except DatabaseFull:
            return await unrecorded.admit(identity, request)
        except AccessRefused as refused:
            if refused.cause != RefusalCause.BUSY:
                raise
            if not await maintenance.interrupt_upkeep(identity.repository_id):
                raise
        return await access.admit(identity, request)

    async def _serve(self, admission: Admission, request: command.Request) -> int:
        """Do what was admitted; the session's row is closed whatever happens."""
        outcome = Outcome(
            end_reason=EndReason.FAILED, exit_status=FAILED_STATUS, bytes_in=0, bytes_out=0
        )
        try:
            if isinstance(request, ShowStatus):
                outcome = await self._status(admission, as_json=request.as_json)
            else:
                outcome = await self._serve_child(admission, request)
                dry = isinstance(request, Rsync) and request.is_dry_run
                outcome = replace(outcome, is_dry_run=dry)
        except AccessRefused as refused:
            outcome = refused_outcome(refused, REFUSED_STATUS)
            raise
        except Unavailable as error:
            outcome = replace(outcome, could_not_start=True, said=error.message)
            raise
        finally:
            await self._gate.finish(admission.session_id, outcome)
            measure_later(admission, outcome)
        is_import = admission.need == Need.IMPORT and not outcome.is_dry_run
        if is_import and outcome.exit_status == 0:
            was_ended = self._end is not None  # it said all is well when it was too late
            return REJECTED_STATUS if was_ended else await settle(admission, self._say)
        return outcome.exit_status if outcome.exit_status is not None else FAILED_STATUS

    async def _serve_child(
        self,
        admission: Admission,
        request: command.BorgServe | command.Borg2Serve | command.Rsync,
    ) -> Outcome:
        self._gate.check_confinement()
        await self._prepare(admission)
        try:
            return await self._hold_to_limits(admission, request)
        finally:
            await asyncio.to_thread(scratch.leave, admission.place)

    async def _prepare(self, admission: Admission) -> None:
        owner = self._gate.host.confinement.owner
        await handover.prepare(
            admission.place, owner, staging=admission.need == Need.IMPORT, tell=self._say
        )
        if admission.need == Need.IMPORT:
            await asyncio.to_thread(make_view, admission, owner)
        if admission.need == Need.BORG:
            await locks.clear_stale(admission.repository_id, session_id=admission.session_id)

    async def _hold_to_limits(
        self,
        admission: Admission,
        request: command.BorgServe | command.Borg2Serve | command.Rsync,
    ) -> Outcome:
        """Run the program within its quotas and what the disk has room for."""
        place, writes = admission.place, may_write(admission, request)
        before = await asyncio.to_thread(snapshot, place.repository)
        if writes:
            await uncommitted.clear(place, before)
        meter = (
            await metered(self._gate.quotas, admission, request, self._brake) if writes else None
        )
        try:
            async with Room(admission) as room:
                self._room = room
                outcome = await self._run_child(admission, request, before, meter)
            return replace(outcome, end_reason=EndReason.DISK_FULL) if room.has_refused else outcome
        finally:
            if meter is not None:
                await meter.end()
            if admission.need == Need.IMPORT:
                await asyncio.to_thread(paths.drop_view, place)

    async def _run_child(
        self,
        admission: Admission,
        request: command.BorgServe | command.Borg2Serve | command.Rsync,
        before: Snapshot,
        meter: Meter | None,
    ) -> Outcome:
        place = admission.place
        observer = observer_of(request, str(place.repository))
        allowed = with_less(admission, request, meter)
        plan = await asyncio.to_thread(make_plan, allowed, request, self._gate.host)
        if self._end is not None:
            return Outcome(
                end_reason=self._end[0],
                exit_status=None,
                bytes_in=0,
                bytes_out=0,
                before=before,
                after=before,
            )
        requests = filter_of(self._gate, plan.policy, admission)
        self._requests = requests
        self._purpose = Purpose(admission, observer)
        if self._room is not None:
            self._room.watch(requests, observer)
        child_status, relay = await self._relay_child(plan, requests, observer, meter)
        if meter is not None:
            await uncommitted.clear(place, before)
        if meter is not None and admission.need == Need.IMPORT:
            await meter.measure()  # a fast rsync ends between two looks at the disk
        if relay.protocol_error is not None:
            self._say(relay.protocol_error.message)
        never_began = self._end is None and has_not_begun(plan, child_status, relay)
        if never_began and self._channel is not None:
            await refusal.tell_in_place(self._channel, relay, requests, request, NOT_BEGUN)
        unasked = reason_of(admission, child_status, relay, self._brake)
        outcome = Outcome(
            end_reason=self._end[0] if self._end else unasked,
            exit_status=shell_status(child_status),
            bytes_in=relay.bytes_in,
            bytes_out=relay.bytes_out,
            before=before,
            after=await self._seen_after(admission),
            said=NOT_BEGUN if never_began else self._said(),
            could_not_start=never_began,
            killed_by=-child_status if child_status < 0 and self._end is None else None,
            **seen_of(requests, observer),
        )
        return await with_what_the_disk_says(admission, outcome, self._gate)

    def _said(self) -> str | None:
        """Why the server ended the session, where it did."""
        if self._brake.was_used:
            return self._brake.sentence
        return self._end[1] or None if self._end is not None else None

    async def _seen_after(self, admission: Admission) -> Snapshot | None:
        """The repository as it is now; None where the whole storage went away meanwhile."""
        after = await asyncio.to_thread(snapshot, admission.place.repository)
        is_gone = admission.is_created and not after.is_created
        if is_gone and not await places.is_there(admission.repository_id, max_age=0):
            return None
        return after

    async def _relay_child(
        self,
        plan: Plan,
        requests: RequestFilter | None,
        observer: Observer | None,
        meter: Meter | None,
    ) -> tuple[int, Relay]:
        channel = self._channel
        if channel is None:
            raise HiveError("The client left before its session began.")
        child = Child.start(plan.spec, self._gate.host.confinement)
        self._child = child
        try:
            relay = Relay(channel, child, requests, observer)
            self._relay = relay
            if meter is not None:
                self._brake.attach(relay, requests, meter.reached)
            self._hand_over_early(relay)
            return await relay.run(), relay
        finally:
            await child.end(self._gate.end_grace)
            child.close()

    def _hand_over_early(self, relay: Relay) -> None:
        early = self._inbox.take()
        if early:
            relay.feed(early)
            self._look_at_what_passed()
        if self._inbox.eof:
            relay.feed_eof()
        if self._channel is None:
            relay.client_gone()
        elif early:
            self._channel.resume_reading()

    def _look_at_what_passed(self) -> None:
        if self._purpose is not None:
            self._purpose.passed()
        if self._room is not None:
            self._room.passed(self.end)

    async def _status(self, admission: Admission, *, as_json: bool) -> Outcome:
        answer = await status.answer(admission, as_json=as_json)
        if self._channel is not None:
            self._channel.write(answer)
        return Outcome(end_reason=EndReason.DONE, exit_status=0, bytes_in=0, bytes_out=len(answer))

    async def _note_refusal(self, refused: AccessRefused) -> None:
        asked = (self._command or self._subsystem or "")[:200]
        await refusal.note(self._connection.identity, self._connection.peer, asked, refused)

    async def _refuse(self, message: str) -> None:
        request: command.Request | None = None
        try:
            request = self._parsed()
        except AccessRefused:
            logger.debug("not understood", reason=message)
        if self._channel is not None:
            await refusal.tell(self._channel, self._inbox, request, message)

    async def _fail(self, message: str) -> None:
        """Say what went wrong, in borg's protocol where no program has spoken yet."""
        if self._relay is None:
            await self._refuse(message)
        else:
            self._say(message)

    def _say(self, message: str) -> None:
        refusal.say(self._channel, message)
