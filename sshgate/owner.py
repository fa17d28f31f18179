"""What a session knows of the connection that it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hive.services.gate.authentication import Identity
from sshgate.gate import Gate

if TYPE_CHECKING:
    from sshgate.client_session import ClientSession


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
    def session_started(self, session: ClientSession) -> None:
        """A command was given."""

    def session_done(self, session: ClientSession) -> None:
        """The command is over; the client may take its time to close the channel."""

    def session_ended(self, session: ClientSession) -> None:
        """The channel is closed."""
