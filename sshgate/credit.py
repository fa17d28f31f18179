"""The credit of addresses: handshakes cost it, logins earn it, and time refills it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from hive.config.settings import SshSettings

_MAX_TRACKED = 10_000  # addresses
_EARNED = 2.0  # by a login: what it cost, and one more


class Credit:
    """How many handshakes each address may still begin; an unknown address has the full credit."""

    def __init__(self, settings: SshSettings, clock: Callable[[], float]) -> None:
        self._most = float(settings.new_connections_burst_per_address)
        self._refill = settings.new_connections_per_minute_per_address / 60  # a second
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (credit, at)

    def of(self, source: str) -> float:
        now = self._clock()
        credit, at = self._kept.get(source, (self._most, now))
        return min(self._most, credit + (now - at) * self._refill)

    def take(self, source: str) -> bool:
        """Pay for one handshake; False where there is no credit left."""
        credit = self.of(source)
        if credit < 1:
            return False
        self._keep(source, credit - 1)
        return True

    def earn(self, source: str) -> None:
        self._keep(source, min(self._most, self.of(source) + _EARNED))

    def forget(self, source: str) -> None:
        """Give the whole credit back: to one address, or for a network to everybody."""
        if self._kept.pop(source, None) is None and "/" in source:
            self._kept.clear()

    def _keep(self, source: str, credit: float) -> None:
        self._kept[source] = (credit, self._clock())
        self._kept.move_to_end(source)
        while len(self._kept) > _MAX_TRACKED:
            self._kept.popitem(last=False)
