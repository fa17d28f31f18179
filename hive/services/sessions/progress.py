"""Sessions that run now: how far they are, as the gate of this process last said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hive import memory, signals
from hive.services.sessions.infos import SessionInfo
from hive.signals import SessionProgress


class LiveView:
    """Turns the counters of running sessions into progress, and calls the listeners.

    `update` is called once a second: that bounds what listeners get.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._progress: dict[int, SessionProgress] = {}
        self._at: float | None = None

    def update(self, counters: Iterable[tuple[int, int, int]]) -> None:
        """Take (session id, bytes in, bytes out) of all that run; the others have ended."""
        now = self._clock()
        seconds = now - self._at if self._at is not None else 0.0
        self._at = now
        current = {row[0]: self._next(*row, seconds) for row in counters}
        changed = [one for key, one in current.items() if one != self._progress.get(key)]
        self._progress = current
        for progress in changed:
            signals.tell(progress)

    def _next(
        self, session_id: int, bytes_in: int, bytes_out: int, seconds: float
    ) -> SessionProgress:
        before = self._progress.get(session_id)
        rate = 0
        if before is not None and seconds > 0:
            moved = bytes_in + bytes_out - before.bytes_in - before.bytes_out
            rate = round(moved / seconds)
        return SessionProgress(session_id, bytes_in, bytes_out, rate)

    @property
    def running(self) -> list[SessionProgress]:
        return list(self._progress.values())


def view() -> LiveView:
    """The one of this server."""
    return memory.of(LiveView)


def with_progress(
    shown: Sequence[SessionInfo], running: Iterable[SessionProgress] | None = None
) -> list[SessionInfo]:
    """Those that run with the bytes that have passed so far; the row knows only at the end.

    `running`: what the server said, for other processes.
    """
    progress = {one.session_id: one for one in (view().running if running is None else running)}
    return [
        replace(one, bytes_in=now.bytes_in, bytes_out=now.bytes_out)
        if one.ended_at is None and (now := progress.get(one.id)) is not None
        else one
        for one in shown
    ]
