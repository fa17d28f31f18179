"""Counting wrong passwords, in memory, for a limited number of names and networks."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta

from hive import addresses, clock

_MAX_TRACKED = 10_000
_MAX_TIMES = 10_000


class Tries:
    """When each of the last ones who tried did so."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def are_used_up(self, who: str, limit: int, span: timedelta) -> bool:
        since = clock.now().timestamp() - span.total_seconds()
        times = [at for at in self._times.get(who, []) if at >= since]
        if times:
            self._times[who] = times
        else:
            self._times.pop(who, None)
        return len(times) >= min(limit, _MAX_TIMES)

    def count(self, who: str) -> float:
        """Count one try; returns what `forgive` takes."""
        at = clock.now().timestamp()
        self._times.setdefault(who, []).append(at)
        self._times.move_to_end(who)
        while len(self._times) > _MAX_TRACKED:
            self._times.popitem(last=False)
        return at

    def forgive(self, who: str, at: float) -> None:
        """Take back one try: it was none."""
        times = self._times.get(who, [])
        if at in times:
            times.remove(at)

    def forget(self) -> None:
        self._times.clear()


network_of = addresses.limit_group
