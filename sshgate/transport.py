"""asyncssh's connection, corrected where it departs from the protocol.

It overrides private parts of asyncssh: tests/sshgate/test_transport.py says so when they change.
"""

from __future__ import annotations

from typing import Final

import asyncssh
from asyncssh.connection import SSHServerConnection
from asyncssh.constants import MSG_KEXINIT
from asyncssh.packet import PacketDecodeError, SSHPacket

from sshgate.doorman import Guest
from sshgate.farewell import PERSON_SECONDS, Farewells

_COOKIE = 16  # bytes


class GateTransport(SSHServerConnection):
    """One SSH connection on the wire."""

    arrival: Guest
    farewells: Farewells
    turned_away_because = ""

    @property
    def has_keys(self) -> bool:
        """Whether the client has done its part of the first key exchange."""
        return self.get_extra_info("send_cipher") is not None

    @property
    def client_offer(self) -> Offer | None:
        """The algorithms that the client named, where it came that far."""
        return Offer.of(self._client_kexinit) if self._client_kexinit else None

    def turn_away(self, reason: str) -> None:
        """Close the connection with words that the client shows.

        The client may be about to send something, or wait for its user: the socket stays open for
        a while after this connection is over, or its system would drop the words unread.
        """
        socket = self._transport
        if socket is None:
            return
        self._send_disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, reason, "")
        self._transport, self.turned_away_because = None, reason
        self._loop.call_soon(self._cleanup, None)
        if self.has_keys:
            self.farewells.linger(socket, PERSON_SECONDS)
        else:
            self.farewells.linger(socket)

    async def _process_kexinit(self, kind: int, number: int, packet: SSHPacket) -> None:
        """Begin a key exchange; a first packet that was sent on a wrong guess is ignored.

        RFC 4253, 7: a guess is right only where client and server name the same key exchange
        and the same host key algorithm first. asyncssh looks at the client's names alone, and
        would take Dropbear's packet for a part of an exchange that it did not choose.
        """
        try:
            await super()._process_kexinit(kind, number, packet)
        except PacketDecodeError as error:
            raise asyncssh.ProtocolError(str(error)) from None
        mine, theirs = Offer.of(self._server_kexinit), Offer.of(self._client_kexinit)
        self._ignore_first_kex = theirs.is_guess_sent and (
            mine.names["key exchange"][:1] != theirs.names["key exchange"][:1]
            or mine.names["host key"][:1] != theirs.names["host key"][:1]
        )

    _packet_handlers = {  # noqa: RUF012 - as asyncssh declares it
        **SSHServerConnection._packet_handlers,  # noqa: SLF001 - the table is the only way
        MSG_KEXINIT: _process_kexinit,
    }


class Offer:
    """What one side names in its SSH_MSG_KEXINIT."""

    LISTS: Final = (
        "key exchange",
        "host key",
        "cipher",
        "cipher back",
        "MAC",
        "MAC back",
        "compression",
        "compression back",
        "language",
        "language back",
    )

    def __init__(self, names: dict[str, list[str]], *, is_guess_sent: bool) -> None:
        self.names = names
        self.is_guess_sent = is_guess_sent

    @classmethod
    def of(cls, kexinit: bytes) -> Offer:
        """Read a whole message that asyncssh has accepted or sent."""
        packet = SSHPacket(kexinit)
        packet.get_byte()
        packet.get_bytes(_COOKIE)
        names = {
            name: [one.decode("ascii", "replace") for one in packet.get_namelist()]
            for name in cls.LISTS
        }
        return cls(names, is_guess_sent=packet.get_boolean())
