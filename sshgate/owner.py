"""What a session knows of the connection that it runs on."""

from __future__ import annotations

from typing import Protocol

from hive.services.gate.authentication import Identity
from sshgate.gate import Gate


class OwnedSession(Protocol):
    """A session, as far as its connection knows it."""

    def flush(self) -> None:
        """Go on sending: the connection has room again."""


class Owner(Protocol):
    """The connection, as far as one of its sessions knows it."""

    @property
    def gate(self) -> Gate: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def peer(self) -> str: ...
    @property
    def client_version(self) -> str | None: ...
    def session_started(self, session: OwnedSession) -> None:
        """A command was given."""

    def session_done(self, session: OwnedSession) -> None:
        """The command is over; the client may take its time to close the channel."""

    def session_ended(self, session: OwnedSession) -> None:
        """The channel is closed."""
