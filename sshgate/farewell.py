"""The last words to a client that asyncssh never sees: a version line and a disconnect."""

from __future__ import annotations

import asyncio
from typing import Final

from asyncssh import DISC_TOO_MANY_CONNECTIONS
from asyncssh.constants import MSG_DISCONNECT
from asyncssh.packet import Byte, String, UInt32

VERSION: Final = "BorgHive"
_BLOCK = 8  # bytes
_LEAST_PADDING = 4
_LINGER_SECONDS = 2.0
PERSON_SECONDS = 60.0  # for one who looks at a question, and reads the answer later
_MAX_LINGERING = 100  # connections


class Farewells:
    """Says why, and waits a moment until the client has read it; bounded in number.

    To close at once what a client still sends to would make its system drop the words unread.
    """

    def __init__(self) -> None:
        self._lingering: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def say(self, transport: asyncio.Transport, reason: str) -> None:
        if transport.is_closing():
            return
        transport.write(f"SSH-2.0-{VERSION}\r\n".encode() + disconnect_packet(reason))
        self.linger(transport)

    def linger(self, transport: asyncio.Transport, seconds: float = _LINGER_SECONDS) -> None:
        """Send nothing more, and close the connection a little later than the client."""
        if transport.is_closing():
            return
        if len(self._lingering) >= _MAX_LINGERING:
            next(iter(self._lingering)).abort()  # the oldest one
        transport.set_protocol(_Deaf(self, transport))
        try:
            transport.write_eof()
        except OSError:  # the client is gone, and the event loop does not know yet
            transport.abort()
            return
        transport.resume_reading()
        loop = asyncio.get_running_loop()
        self._lingering[transport] = loop.call_later(seconds, transport.abort)

    def over(self, transport: asyncio.Transport) -> None:
        timer = self._lingering.pop(transport, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        for transport in tuple(self._lingering):
            transport.abort()


class _Deaf(asyncio.Protocol):
    """Throws away what the client still sends, until it hangs up."""

    def __init__(self, farewells: Farewells, transport: asyncio.Transport) -> None:
        self._farewells = farewells
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._farewells.over(self._transport)


def disconnect_packet(reason: str) -> bytes:
    """SSH_MSG_DISCONNECT as it is sent before keys are exchanged (RFC 4253, 6 and 11.1)."""
    payload = b"".join(
        (Byte(MSG_DISCONNECT), UInt32(DISC_TOO_MANY_CONNECTIONS), String(reason), String(""))
    )
    padding = -(5 + len(payload)) % _BLOCK
    padding += _BLOCK if padding < _LEAST_PADDING else 0
    return UInt32(1 + len(payload) + padding) + bytes([padding]) + payload + bytes(padding)
