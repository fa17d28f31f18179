"""The gate: listener, host keys, limits, and the sessions that run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncssh
from asyncssh.version import __version__ as asyncssh_version

from hive import events, log
from hive.config import SshSettings
from hive.database import DriverError, spawn
from hive.errors import AccessRefused, HiveError, RefusalCause, Unavailable
from hive.kinds import EndReason
from hive.services import access
from hive.services.host_keys import HostKey
from sshgate import algorithms
from sshgate.child import Confinement
from sshgate.connection import GateConnection
from sshgate.doorman import Doorman
from sshgate.plan import Host
from sshgate.session import GateSession

logger = log.get(__name__)

# 2.24.0 lets somebody log in as another user (an authentication race); it was reproduced.
LEAST_ASYNCSSH = (2, 24, 1)


class Gate:
    """Everything the connections share. Make one, `listen`, and `stop` it in the end."""

    def __init__(
        self, host: Host, confinement: Confinement, *, shortcomings: Sequence[str] = ()
    ) -> None:
        _require_asyncssh()
        self.host = host
        self.settings: SshSettings = host.settings.ssh
        self.confinement = confinement
        self.doorman = Doorman(self.settings)
        self.connections: set[GateConnection] = set()
        self.sessions: dict[int, GateSession] = {}  # by session id
        self.rights_version = 0
        self.loop = asyncio.get_running_loop()
        self._shortcomings = tuple(shortcomings)
        self._draining = False
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._unsubscribe = events.subscribe(self._on_happening)

    @property
    def end_grace(self) -> float:
        """Seconds between asking a child to end and killing it."""
        return self.settings.end_grace_seconds

    @property
    def port(self) -> int:
        if self._acceptor is None:
            raise HiveError("The gate does not listen.")
        return self._acceptor.get_port()

    @property
    def is_listening(self) -> bool:
        return self._acceptor is not None and not self._draining

    async def listen(self, host_keys: Sequence[HostKey]) -> None:
        """Begin to accept connections; Unavailable where the address cannot be had."""
        address = self.settings.address
        try:
            self._acceptor = await asyncssh.listen(
                address.host,
                address.port,
                server_factory=lambda: GateConnection(self),
                # Loaded keys: paths would be read again for every connection.
                server_host_keys=[asyncssh.import_private_key(key.private) for key in host_keys],
                **_options(self.settings),
            )
        except OSError as error:
            raise Unavailable(f"The SSH gate cannot listen on {address}: {error}.") from error

    async def stop(self, drain_seconds: float) -> None:
        """Accept no more, let running sessions end within the time, then end them."""
        self._draining = True
        if self._acceptor is not None:
            self._acceptor.close()
        for connection in tuple(self.connections):
            connection.close_if_unused()
        await self._wait_for_sessions(drain_seconds)
        for session in tuple(self.sessions.values()):
            session.end(EndReason.DRAINED, "the server is stopping")
        # A child is killed when its grace is over; the rest is writing its row.
        await self._wait_for_sessions(self.end_grace + 10)
        for connection in tuple(self.connections):
            connection.close("The server is stopping")
        if self._acceptor is not None:
            await self._acceptor.wait_closed()
        self._unsubscribe()

    async def _wait_for_sessions(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._at_rest.wait()

    def session_opened(self, session_id: int, session: GateSession) -> None:
        self.sessions[session_id] = session
        self._at_rest.clear()

    def session_closed(self, session_id: int) -> None:
        del self.sessions[session_id]
        if not self.sessions:
            self._at_rest.set()

    def check_accepting(self) -> None:
        if self._draining:
            raise AccessRefused(
                "The server is stopping: try again in a minute.", RefusalCause.DRAINING
            )

    def check_confinement(self) -> None:
        """Refuse service where confinement is required and cannot be had in full."""
        if self.host.settings.child.confinement == "require" and self._shortcomings:
            raise AccessRefused(
                "The server cannot confine its programs as it is configured to: `hive doctor` says"
                " what is missing.",
                RefusalCause.UNAVAILABLE,
            )

    def _on_happening(self, happening: events.Happening) -> None:
        if isinstance(happening, events.RightsChanged):
            self.rights_version += 1
            spawn(self.end_disallowed(), name="end disallowed sessions")
        elif isinstance(happening, events.EndSession):
            session = self.sessions.get(happening.session_id)
            if session is not None:
                session.end(EndReason.KILLED, happening.reason)

    async def end_disallowed(self) -> None:
        """End the sessions that the rules of now would not let begin."""
        try:
            disallowed = await access.no_longer_allowed(tuple(self.sessions))
        except (HiveError, DriverError) as error:
            logger.error("running sessions could not be checked", reason=str(error))
            return
        for session_id, reason in disallowed.items():
            session = self.sessions.get(session_id)
            if session is not None:
                session.end(EndReason.REVOKED, reason)


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
