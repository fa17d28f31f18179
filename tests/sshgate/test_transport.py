"""What the gate changes in asyncssh is still there to be changed."""

from __future__ import annotations

import inspect

from asyncssh.connection import SSHConnection, SSHServerConnection
from asyncssh.constants import MSG_KEXINIT
from asyncssh.packet import Boolean, Byte, NameList, UInt32

from sshgate.transport import GateTransport, Offer


def test_asyncssh_still_has_the_parts_that_are_overridden() -> None:
    """Fails where an update of asyncssh needs a look at sshgate/transport.py."""
    source = inspect.getsource(SSHConnection._process_kexinit)
    for part in ("self._ignore_first_kex = ", "self._client_kexinit", "self._server_kexinit"):
        assert part in source, f"asyncssh._process_kexinit no longer says {part!r}"
    assert SSHServerConnection._packet_handlers[MSG_KEXINIT] is SSHConnection._process_kexinit
    assert GateTransport._packet_handlers[MSG_KEXINIT] is GateTransport._process_kexinit
    close = inspect.getsource(SSHConnection._force_close)
    for part in ("self._transport = None", "self._cleanup"):
        assert part in close, f"asyncssh._force_close no longer says {part!r}"
    read = inspect.getsource(SSHConnection._recv_packet)
    assert "if self._ignore_first_kex" in read, "asyncssh no longer skips a wrong guess"
    # If this fails because asyncssh does it right by itself, the override can go.
    assert "self._kex.algorithm != peer_kex_algs[0]" in source


def test_an_offer_is_read_from_the_message() -> None:
    lists = [["a", "b"], ["c"], ["d"], ["e"], [], [], ["none"], ["none"], [], []]
    message = b"".join(
        [
            Byte(MSG_KEXINIT),
            bytes(16),
            *(NameList([name.encode() for name in names]) for names in lists),
            Boolean(True),
            UInt32(0),
        ]
    )
    offer = Offer.of(message)
    assert offer.names["key exchange"] == ["a", "b"]
    assert offer.names["host key"] == ["c"]
    assert offer.names["MAC back"] == []
    assert offer.is_guess_sent
