"""The listener: address, host keys, and what asyncssh is told."""

from __future__ import annotations

from collections.abc import Sequence

import asyncssh
from asyncssh.version import __version__ as asyncssh_version

from hive.config import SshSettings
from hive.errors import HiveError, Unavailable
from hive.services.host_keys import HostKey
from sshgate import algorithms
from sshgate.connection import GateConnection
from sshgate.gate import Gate

# 2.24.0 lets somebody log in as another user (an authentication race); it was reproduced.
LEAST_ASYNCSSH = (2, 24, 1)


class Server:
    """Accepts connections for a gate. Make one, `listen`, and `stop` it in the end."""

    def __init__(self, gate: Gate) -> None:
        _require_asyncssh()
        self.gate = gate
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def port(self) -> int:
        if self._acceptor is None:
            raise HiveError("The gate does not listen.")
        return self._acceptor.get_port()

    @property
    def is_listening(self) -> bool:
        return self._acceptor is not None and not self.gate.is_draining

    async def listen(self, host_keys: Sequence[HostKey]) -> None:
        """Begin to accept connections; Unavailable where the address cannot be had."""
        address = self.gate.settings.address
        try:
            self._acceptor = await asyncssh.listen(
                address.host,
                address.port,
                server_factory=lambda: GateConnection(self.gate),
                # Loaded keys: paths would be read again for every connection.
                server_host_keys=[asyncssh.import_private_key(key.private) for key in host_keys],
                **_options(self.gate.settings),
            )
        except OSError as error:
            raise Unavailable(f"The SSH gate cannot listen on {address}: {error}.") from error

    async def stop(self, drain_seconds: float) -> None:
        """Accept no more, let running sessions end within the time, then end them."""
        if self._acceptor is not None:
            self._acceptor.close()
        await self.gate.stop(drain_seconds)
        if self._acceptor is not None:
            await self._acceptor.wait_closed()


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
        "login_timeout": settings.login_seconds,
        "keepalive_interval": settings.keepalive_seconds,
        "keepalive_count_max": settings.keepalive_count,
        "rekey_bytes": settings.rekey_bytes,
        "server_version": "BorgHive",
        "reuse_address": True,
        "backlog": 128,
    }


def _require_asyncssh() -> None:
    found = tuple(int(part) for part in asyncssh_version.split(".")[:3])
    if found < LEAST_ASYNCSSH:
        raise Unavailable(
            f"asyncssh {asyncssh_version} lets people log in as somebody else: install"
            f" {'.'.join(map(str, LEAST_ASYNCSSH))} or newer."
        )
