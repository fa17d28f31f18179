"""The one source of the current time, so that tests can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

_read: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731


def now() -> datetime:
    """The current time, aware, in UTC."""
    return _read()


def use(read: Callable[[], datetime] | None) -> None:
    """Take the time from `read`; None goes back to the system clock."""
    global _read  # noqa: PLW0603 - one clock for the process is the point
    _read = read or (lambda: datetime.now(UTC))


def rfc3339(at: datetime) -> str:
    """`at` in UTC as JSON and the command line show it: 2026-11-23T17:05:00Z."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
