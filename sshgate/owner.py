"""What a session knows of the connection that it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hive.services.gate.authentication import Identity
from sshgate.gate import Gate

if TYPE_CHECKING:
    from sshgate.session import GateSession


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
    def session_started(self, session: GateSession) -> None:
        """A command was given."""

    def session_done(self, session: GateSession) -> None:
        """The command is over; the client may take its time to close the channel."""

    def session_ended(self, session: GateSession) -> None:
        """The channel is closed."""
