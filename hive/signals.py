"""What can happen, as frozen dataclasses, and who is called after commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hive import log, memory
from hive.kinds import EventKind

logger = log.get(__name__)


@dataclass(frozen=True, kw_only=True)
class RepositoryEvent:
    """Something happened to a repository; the row is in the database already."""

    id: int
    at: datetime
    repository_id: int
    kind: EventKind
    message: str
    session_id: int | None


@dataclass(frozen=True)
class StatusAsked:
    """A client asked for the status of a repository without a backup: it can log in."""

    repository_id: int


@dataclass(frozen=True)
class RightsChanged:
    """A key, grant, mode or owner changed: running sessions may no longer be allowed."""

    reason: str


@dataclass(frozen=True)
class QuotasChanged:
    """A quota was set, or what it counts: it holds for running sessions too."""


@dataclass(frozen=True)
class EndSession:
    """Somebody who may wants a running session to end."""

    session_id: int
    reason: str


@dataclass(frozen=True)
class AddressesChanged:
    """The rules on client addresses changed, or one address (`released`) starts afresh."""

    released: str = ""


@dataclass(frozen=True)
class UpkeepWanted:
    """Somebody wants the server's own borg to check or compact a repository."""

    repository_id: int


@dataclass(frozen=True)
class MoveWanted:
    """Somebody wants a repository at another location, or no longer."""

    repository_id: int


@dataclass(frozen=True)
class GiveWay:
    """Something of more weight than an upkeep wants a repository: what runs there is to stop."""

    repository_id: int


@dataclass(frozen=True)
class SessionProgress:
    """How far a running session is; told at most once a second for each, while bytes move."""

    session_id: int
    bytes_in: int
    bytes_out: int
    bytes_per_second: int  # both directions together


@dataclass(frozen=True)
class WorkProgress:
    """How far long work on a repository is; told at most once a second, while it moves.

    `is_change`: it began, pauses or is over.
    """

    repository_id: int
    kind: str
    is_change: bool = False


@dataclass(frozen=True, kw_only=True)
class DiskAlarm:
    """A storage root fills up, or no longer does (`level` is 0 then); it has no repository."""

    at: datetime
    root: str
    level: int  # percent that was passed
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class StorageChanged:
    """A location was added, deleted, adopted or taken over, or its storage is back: look at it."""

    location_id: int


@dataclass(frozen=True)
class DeliveriesWaiting:
    """There is something in the outbox that can be sent now."""


@dataclass(frozen=True)
class TriggerAsked:
    """Somebody pressed a trigger's button: its call waits to be made."""

    run_id: int


@dataclass(frozen=True)
class TriesForgiven:
    """The wrong passwords and codes of a user no longer count."""

    user_id: int
    name: str


Happening = (
    RepositoryEvent
    | StatusAsked
    | RightsChanged
    | QuotasChanged
    | EndSession
    | AddressesChanged
    | UpkeepWanted
    | MoveWanted
    | GiveWay
    | SessionProgress
    | WorkProgress
    | DiskAlarm
    | StorageChanged
    | DeliveriesWaiting
    | TriggerAsked
    | TriesForgiven
)
Subscriber = Callable[[Happening], None]


@dataclass
class _Memory:
    subscribers: list[Subscriber] = field(default_factory=list)


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Have `subscriber` told of everything that happens; returns what ends that."""
    subscribers = memory.of(_Memory).subscribers
    subscribers.append(subscriber)

    def unsubscribe() -> None:
        if subscriber in subscribers:
            subscribers.remove(subscriber)

    return unsubscribe


def tell(happening: Happening) -> None:
    """Tell all subscribers. Call after commit only: hive.database.after_commit."""
    for subscriber in tuple(memory.of(_Memory).subscribers):
        subscriber(happening)
