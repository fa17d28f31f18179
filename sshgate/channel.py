"""A channel whose memory is bounded, whatever the client sends or does not read.

asyncssh trusts a client with its memory: it keeps every variable of the environment, counts
bytes but not pieces while a session is paused, and sends all that the window of a channel allows,
even when the client no longer reads from the socket or never ends an exchange of keys.
"""

from __future__ import annotations

import asyncio

import asyncssh
from asyncssh.constants import MSG_CHANNEL_CLOSE
from asyncssh.packet import SSHPacket

WINDOW = 2 * 1024 * 1024  # bytes a client may send ahead
PACKET = 32 * 1024
_MOST_UNSENT = 1024 * 1024  # bytes in the connection's own buffer, on top of the channel's
_MOST_PIECES = 256  # of data for a paused session before they are joined
_EXCHANGE_POLL = 0.02  # seconds; an exchange of keys takes a few of these


class GateChannel(asyncssh.SSHServerChannel[bytes]):
    """A channel that keeps nothing of the environment, and no more data than it must."""

    environment_requests_left = 0
    _polling: asyncio.TimerHandle | None = None

    # what the client sends

    def _process_env_request(self, packet: SSHPacket) -> bool:
        packet.get_string()
        packet.get_string()
        packet.check_end()
        self.environment_requests_left -= 1
        if self.environment_requests_left < 0:
            raise asyncssh.ProtocolError("Too many environment variables")
        return False

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        """Take commands that are no text as well, so that they can be refused in words."""
        command = packet.get_string()
        packet.check_end()
        return self._start_session(command=command.decode("utf-8", "surrogateescape"))

    # asyncssh would answer these in a task, let all other requests wait behind them, and then
    # answer the pile by recursion. None stands for a request that is not known: refused at once.
    _process_x11_req_request = None  # type: ignore[assignment]
    _process_auth_agent_req_at_openssh_dot_com_request = None  # type: ignore[assignment]

    def _accept_data(self, data: bytes, datatype: int | None = None) -> None:
        super()._accept_data(data, datatype)
        # A window of single bytes would take a hundred times its size.
        if len(self._recv_buf) > _MOST_PIECES:
            self._recv_buf = [(b"".join(piece for piece, _ in self._recv_buf), None)]

    def _process_close(self, kind: int, number: int, packet: SSHPacket) -> None:
        # Who closes wants no answer: what a busy child has not read yet must not delay the end.
        self._recv_buf.clear()
        super()._process_close(kind, number, packet)

    _packet_handlers = {  # noqa: RUF012 - as asyncssh declares it
        **asyncssh.SSHServerChannel._packet_handlers,  # noqa: SLF001 - the table is the only way
        MSG_CHANNEL_CLOSE: _process_close,
    }

    # what the client gets

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Send data; nothing happens where the client has closed the channel meanwhile."""
        if not self.is_closing():
            super().write(data, datatype)

    def flush(self) -> None:
        """Go on sending: the connection has room again."""
        self._polling = None
        if self._conn is not None and self._session is not None:
            self._flush_send_buf()

    def _flush_send_buf(self) -> None:
        if self._conn is None or self._has_room():
            super()._flush_send_buf()
            return
        # It stays in the channel's buffer, and that holds back the session.
        self._pause_resume_writing()

    def _has_room(self) -> bool:
        transport = self._conn._transport  # noqa: SLF001 - nothing public tells
        if transport is None:
            return True  # closed: what is sent now is thrown away
        if not self._conn._kex_complete:  # noqa: SLF001
            # Nobody tells when the exchange is done; until then all packets would pile up.
            if self._polling is None:
                self._polling = self._loop.call_later(_EXCHANGE_POLL, self.flush)
            return False
        return bool(transport.get_write_buffer_size() < _MOST_UNSENT)
