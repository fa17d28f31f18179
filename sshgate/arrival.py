"""A TCP connection at the door: it waits for its place, and asyncssh sees it only then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from hive import addresses
from sshgate.doorman import Doorman
from sshgate.farewell import Farewells
from sshgate.transport import GateTransport

_MOST_AHEAD = 8192  # bytes that are kept of what a client sends while it waits


class Arrival(asyncio.Protocol):
    """The guest of the door, from the first packet to the login."""

    def __init__(
        self,
        doorman: Doorman,
        farewells: Farewells,
        make_transport: Callable[[Arrival], GateTransport],
    ) -> None:
        self.peer = ""
        self._doorman = doorman
        self._farewells = farewells
        self._make_transport = make_transport
        self._socket: asyncio.Transport | None = None
        self._ssh: GateTransport | None = None
        self._ahead = b""

    # what asyncio calls while the connection waits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        self.peer = addresses.plain((transport.get_extra_info("peername") or ("",))[0])
        self._doorman.arrive(self)

    def data_received(self, data: bytes) -> None:
        self._ahead += data
        if self._socket is not None and len(self._ahead) > _MOST_AHEAD:
            self._socket.pause_reading()  # the client's system keeps the rest

    def connection_lost(self, exc: Exception | None) -> None:
        self._doorman.leave(self)
        self._ahead = b""

    # what the door calls

    @property
    def has_keys(self) -> bool:
        return self._ssh is not None and self._ssh.has_keys

    def enter(self) -> None:
        socket, ahead = self._socket, self._ahead
        if socket is None or socket.is_closing():
            return  # `connection_lost` does what is left
        self._ahead = b""
        self._ssh = self._make_transport(self)
        socket.set_protocol(self._ssh)
        try:
            self._ssh.connection_made(socket)
        except OSError:  # the client is gone, and the event loop does not know yet
            socket.set_protocol(self)
            socket.abort()
            return
        if ahead:
            self._ssh.data_received(ahead)
        socket.resume_reading()

    def turn_away(self, reason: str) -> None:
        if self._ssh is not None:
            self._ssh.turn_away(reason)
        elif self._socket is not None:
            self._farewells.say(self._socket, reason)
