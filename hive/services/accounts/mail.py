"""Mail as services see it: a message, and the function that sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hive import memory
from hive.errors import Unavailable


@dataclass(frozen=True)
class Mail:
    """A mail to one person, as plain text."""

    to: str
    subject: str
    text: str


# Returns when the mail server took the message; DeliveryFailed where it did not.
Sender = Callable[[Mail], Awaitable[None]]


@dataclass
class _Memory:
    sender: Sender | None = None


def use(sender: Sender | None) -> None:
    """Have mail sent by `sender`; None where this server sends none."""
    memory.of(_Memory).sender = sender


def is_configured() -> bool:
    return memory.of(_Memory).sender is not None


async def send(message: Mail) -> None:
    """Send it now. Never call this inside a transaction."""
    sender = memory.of(_Memory).sender
    if sender is None:
        raise Unavailable("This server sends no mail: none is configured.")
    await sender(message)
