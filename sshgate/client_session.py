"""The client's side of one exec request: what arrives, what is asked for, and how it ends."""

from __future__ import annotations

from typing import cast

import asyncssh

from hive.background import spawn
from hive.borg.request_filter import RequestFilter
from hive.borg.rpc_policy import Phase
from hive.kinds import EndReason, Need
from hive.process.child import Child
from hive.services.gate.admission import Admission
from sshgate import refusal
from sshgate.brake import Brake
from sshgate.channel import GateChannel
from sshgate.inbox import Inbox
from sshgate.owner import Owner
from sshgate.relay import Relay
from sshgate.room import Room
from sshgate.serving import Purpose, end_child

_WRITE_BUFFER = 512 * 1024  # bytes for a slow client before the child is held back


class ClientSession(asyncssh.SSHServerSession[bytes]):
    """The client's side of a session: what asyncssh and the gate call."""

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
                self._say(f"this session was ended: {why.rstrip('.')}.")
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

    async def _run(self) -> None:
        """Answer the request; started once."""
        raise NotImplementedError

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

    def _say(self, message: str) -> None:
        refusal.say(self._channel, message)
