"""The one source of the current time, so that tests can move it.

Where the time comes from belongs to the process, not to what its services remember: tests set it
before they start any, and let it go on across a stop and a start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

_read: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731
_read_elapsed: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)  # noqa: E731


def now() -> datetime:
    """The current time, aware, in UTC."""
    return _read()


def elapsed() -> float:
    """Seconds since the machine started, suspended or not; nobody can set this clock."""
    return _read_elapsed()


def use(read: Callable[[], datetime] | None) -> None:
    """Take the time from `read`; None goes back to the system clock."""
    global _read  # noqa: PLW0603 - one clock for the process is the point
    _read = read or (lambda: datetime.now(UTC))


def use_elapsed(read: Callable[[], float] | None) -> None:
    """Take the seconds since the start from `read`; None goes back to the system clock."""
    global _read_elapsed  # noqa: PLW0603 - see use
    _read_elapsed = read or (lambda: time.clock_gettime(time.CLOCK_BOOTTIME))


def rfc3339(at: datetime) -> str:
    """`at` in UTC as JSON and the command line show it: 2026-11-23T17:05:00Z."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
