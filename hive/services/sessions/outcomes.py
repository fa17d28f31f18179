"""What came of a session, in the one word that people look for. Pure."""

from __future__ import annotations

from enum import StrEnum

from hive.kinds import ArchiveCreated, Operation
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo


class SessionOutcome(StrEnum):
    """The worst first."""

    FAILED = "failed"
    CHECKPOINT = "checkpoint"  # only a part of a backup
    DELETED = "deleted"
    RUNNING = "running"
    BACKED_UP = "backed up"
    READ = "read"
    DONE = "done"


_DELETING = (Operation.DELETE, Operation.DELETE_REPOSITORY)
_READING = (Operation.READ, Operation.EXPORT)


def outcome_of(session: SessionInfo) -> SessionOutcome:
    """A backup that was made counts, whatever came after it."""
    if session.state == SessionState.LIVE:
        return SessionOutcome.RUNNING
    if session.archive_created == ArchiveCreated.YES:
        return SessionOutcome.BACKED_UP
    if session.archive_created == ArchiveCreated.PARTIAL:
        return SessionOutcome.CHECKPOINT
    if session.state == SessionState.BADLY:
        return SessionOutcome.FAILED
    if session.operation in _DELETING:
        return SessionOutcome.DELETED
    return SessionOutcome.READ if session.operation in _READING else SessionOutcome.DONE
