"""When people hear that something ends: a key, an account, a membership, a share. One rule."""

from __future__ import annotations

from datetime import datetime, timedelta

from hive import clock

WARN_BEFORE = (timedelta(days=14), timedelta(days=3), timedelta(days=1), timedelta(0))


def is_soon(expires_at: datetime | None) -> bool:
    """Whether a first warning is due."""
    return expires_at is not None and expires_at - clock.now() <= WARN_BEFORE[0]


def step_of(expires_at: datetime, now: datetime) -> timedelta | None:
    """The warning that is due: the last one whose time has come, None before the first.

    What was over for a day is no news any more.
    """
    left = expires_at - now
    if left < -timedelta(days=1):
        return None
    return min((step for step in WARN_BEFORE if left <= step), default=None)
