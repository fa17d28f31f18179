"""What the guides are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Snippet:
    """Something to copy."""

    id: str
    title: str  # where it goes, or what it is
    text: str


@dataclass(frozen=True)
class Way:
    """One client, and what it needs."""

    id: str
    title: str
    about: str
    snippets: tuple[Snippet, ...]


class Milestone(StrEnum):
    """What the server sees of a machine that is being connected, in its order."""

    KEY = "key"
    LOGIN = "login"
    CREATED = "created"
    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something to do on the machine.

    about     what to know before; `after`: once it is done
    sees      what the server sees of it; None: nothing, so that it is never ticked
    """

    id: str
    title: str
    about: str
    snippets: tuple[Snippet, ...] = ()
    after: str = ""
    sees: Milestone | None = None


@dataclass(frozen=True)
class Guide:
    """How one client is connected."""

    client: str
    steps: tuple[Step, ...]
