"""What a list of sessions can be narrowed to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise.expressions import Q

from hive.kinds import EndReason

_MAX_FINGERPRINT = 64
_MAX_KEY_NAME = 150


class SessionState(StrEnum):
    """How a session is, or how it ended."""

    LIVE = "live"
    ENDED = "ended"
    WELL = "well"  # ended, and as it should
    BADLY = "badly"


def by_key(key: str) -> Q:
    """The sessions of a fingerprint, or of a name as the session has kept it."""
    # The columns take no longer text, not even to compare it.
    if key.startswith("SHA256:") and len(key) <= _MAX_FINGERPRINT:
        return Q(key_fingerprint=key)
    return Q(key_name=key[:_MAX_KEY_NAME])


def state_of(
    ended_at: datetime | None, end_reason: EndReason | None, exit_status: int | None
) -> SessionState:
    """LIVE, WELL or BADLY: in Python what `in_state` finds in the database."""
    if ended_at is None:
        return SessionState.LIVE
    is_well = end_reason == EndReason.DONE and exit_status in (None, 0)
    return SessionState.WELL if is_well else SessionState.BADLY


def in_state(state: SessionState) -> Q:
    """What restricts a query on sessions to those in this state."""
    well = Q(end_reason=EndReason.DONE) & (Q(exit_status=None) | Q(exit_status=0))
    match state:
        case SessionState.LIVE:
            return Q(ended_at=None)
        case SessionState.ENDED:
            return Q(ended_at__isnull=False)
        case SessionState.WELL:
            return Q(ended_at__isnull=False) & well
        case SessionState.BADLY:
            # not ~well: for SQL, what is NULL is neither one nor the other
            badly = Q(end_reason__not=EndReason.DONE) | Q(exit_status__gt=0) | Q(exit_status__lt=0)
            return Q(ended_at__isnull=False) & badly
