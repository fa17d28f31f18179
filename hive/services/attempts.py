"""Counting wrong passwords, in memory, for a limited number of names and networks."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta

from hive import clock

_MAX_TRACKED = 10_000
_MAX_TIMES = 10_000


class Tries:
    """When each of the last ones who tried did so."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def are_used_up(self, who: str, limit: int, span: timedelta) -> bool:
        return self.number(who, span) >= min(limit, _MAX_TIMES)

    def number(self, who: str, span: timedelta) -> int:
        """How many there were within the span; older ones are forgotten."""
        since = clock.now().timestamp() - span.total_seconds()
        times = [at for at in self._times.get(who, []) if at >= since]
        if times:
            self._times[who] = times
        else:
            self._times.pop(who, None)
        return len(times)

    def count(self, who: str, at: float | None = None) -> float:
        """Count one try, now or when it was; returns what `forgive` takes."""
        at = clock.now().timestamp() if at is None else at
        times = self._times.setdefault(who, [])
        times.append(at)
        del times[:-_MAX_TIMES]
        self._times.move_to_end(who)
        while len(self._times) > _MAX_TRACKED:
            self._times.popitem(last=False)
        return at

    def forgive(self, who: str, at: float) -> None:
        """Take back one try: it was none."""
        times = self._times.get(who, [])
        if at in times:
            times.remove(at)

    def take_all(self, who: str) -> list[float]:
        """Forget all tries of one; returns when they were."""
        return self._times.pop(who, [])

    def names(self) -> list[str]:
        return list(self._times)
