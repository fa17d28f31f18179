"""The listener: address, host keys, and the options of asyncssh."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncssh
from asyncssh.version import __version__ as asyncssh_version

from hive import listening
from hive.config.settings import SshSettings
from hive.config.values import Address
from hive.errors import HiveError, Unavailable
from hive.sentences import say
from hive.services.gate.host_keys import HostKey
from sshgate import algorithms
from sshgate.arrival import Arrival
from sshgate.connection import GateConnection
from sshgate.farewell import VERSION
from sshgate.gate import Gate
from sshgate.transport import GateTransport

# 2.24.0 lets somebody log in as another user (an authentication race); it was reproduced.
LEAST_ASYNCSSH = (2, 24, 1)
_BACKLOG = 512  # connections that the system keeps until they are accepted


class Server:
    """Accepts connections for a gate. Make one, `listen`, and `stop` it in the end."""

    def __init__(self, gate: Gate) -> None:
        _require_asyncssh()
        self.gate = gate
        self._listeners: list[asyncio.Server] = []
        self._address: Address | None = None

    @property
    def address(self) -> Address:
        """Where it listens, by IPv4 where it can."""
        if self._address is None:
            raise HiveError("The gate does not listen.")
        return self._address

    @property
    def port(self) -> int:
        return self.address.port

    @property
    def is_listening(self) -> bool:
        return bool(self._listeners) and not self.gate.is_draining

    async def listen(self, host_keys: Sequence[HostKey]) -> None:
        """Begin to accept connections; Unavailable where an address cannot be had."""
        gate = self.gate
        options = await asyncssh.SSHServerConnectionOptions.construct(
            server_factory=lambda: GateConnection(gate),
            # Loaded keys: paths would be read again for every connection.
            server_host_keys=[asyncssh.import_private_key(key.private) for key in host_keys],
            **_options(gate.settings),
        )
        options.proxy_command = None  # as asyncssh.listen sets it

        def make_transport(arrival: Arrival) -> GateTransport:
            transport = GateTransport(gate.loop, options)
            transport.arrival, transport.farewells = arrival, gate.farewells
            return transport

        await gate.learn_addresses()
        opened = await listening.open_sockets(
            gate.settings.addresses, what=say("The SSH gate"), backlog=_BACKLOG
        )
        self._address = listening.shown_address(opened)
        for one in opened:
            listener = await gate.loop.create_server(
                lambda: Arrival(gate.doorman, gate.farewells, make_transport),
                sock=one,
                backlog=_BACKLOG,
            )
            self._listeners.append(listener)

    async def stop(self, drain_seconds: float) -> None:
        """Accept no more, let running sessions end within the time, then end them."""
        for listener in self._listeners:
            listener.close()
        await self.gate.stop(drain_seconds)
        for listener in self._listeners:
            await listener.wait_closed()


def _options(settings: SshSettings) -> dict[str, object]:
    return {
        **algorithms.options(settings.algorithms),
        "compression_algs": None,
        "password_auth": False,
        "kbdint_auth": False,
        "host_based_auth": False,
        "public_key_auth": True,
        "gss_host": None,
        "agent_forwarding": False,
        "x11_forwarding": False,
        "allow_pty": False,
        "line_editor": False,
        "allow_scp": False,
        "sftp_factory": None,
        "encoding": None,
        "login_timeout": 0,  # the connection has its own deadlines, which say why
        "keepalive_interval": settings.keepalive_seconds,
        "keepalive_count_max": settings.keepalive_count,
        "rekey_bytes": settings.rekey_bytes,
        "server_version": VERSION,
    }


def _require_asyncssh() -> None:
    found = tuple(int(part) for part in asyncssh_version.split(".")[:3])
    if found < LEAST_ASYNCSSH:
        raise Unavailable(
            "asyncssh %(asyncssh_version)s lets people log in as somebody else: install"
            " %(least_asyncssh)s or newer.",
            asyncssh_version=asyncssh_version,
            least_asyncssh=".".join(map(str, LEAST_ASYNCSSH)),
        )
