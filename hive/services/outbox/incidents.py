"""Which problem a notification is about, and whether it begins, is known to somebody or is over.

Services that keep incidents recognize a problem by its name: it is that of one repository, or
one subject of the server, and of one kind of trouble. What has no weight begins none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from hive.kinds import EventKind, Severity

LONGEST = 120
# What is said of a missing backup, from the first word to the last.
MISSING = (EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN, EventKind.RECOVERED)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Phase(StrEnum):
    """Where a problem is by a notification; stored among its details."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


def of_repository(repository_id: int, kind: EventKind) -> str:
    """The name of a problem of a repository; late, down and still down are the same one."""
    word = "backup" if kind in MISSING else _NOT_IN_NAMES.sub("-", str(kind)).strip("-")
    return f"repository-{repository_id}/{word}"


def of_server(subject: str) -> str:
    """The name of a problem of the server itself, or of something that it uses."""
    return f"server/{subject}"[:LONGEST]


def of_event(repository_id: int, kind: EventKind, details: Mapping[str, Any]) -> str:
    """The problem that an event begins or ends."""
    if kind == EventKind.ALARM_ENDED and details.get("alarm") in set(EventKind):
        return of_repository(repository_id, EventKind(details["alarm"]))
    return of_repository(repository_id, kind)


def phase_of(severity: Severity) -> Phase | None:
    """What a notification of this severity says of its problem."""
    if severity == Severity.RECOVERY:
        return Phase.RESOLVED
    return None if severity == Severity.INFO else Phase.OPEN
