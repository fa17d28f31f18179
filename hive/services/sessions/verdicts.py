"""What came of a session, in the one word that people look for. Pure."""

from __future__ import annotations

from enum import StrEnum

from hive.kinds import ArchiveCreated, Operation
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo


class SessionVerdict(StrEnum):
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


def verdict_of(session: SessionInfo) -> SessionVerdict:
    """A backup that was made counts, whatever came after it."""
    if session.state == SessionState.LIVE:
        return SessionVerdict.RUNNING
    if session.archive_created == ArchiveCreated.YES:
        return SessionVerdict.BACKED_UP
    if session.archive_created == ArchiveCreated.PARTIAL:
        return SessionVerdict.CHECKPOINT
    if session.state == SessionState.BADLY:
        return SessionVerdict.FAILED
    if session.operation in _DELETING:
        return SessionVerdict.DELETED
    return SessionVerdict.READ if session.operation in _READING else SessionVerdict.DONE
