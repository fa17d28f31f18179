"""A clock that tests move."""

from __future__ import annotations

from datetime import timedelta

from hive import clock


class Moved:
    """Moves the clock to so long after the moment at which it was made."""

    def __init__(self) -> None:
        self._begin = clock.now()

    def to(self, later: timedelta) -> None:
        at = self._begin + later
        clock.use(lambda: at)
