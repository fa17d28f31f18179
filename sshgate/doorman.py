"""How many may stand at the door: limits on connections that have not logged in."""

from __future__ import annotations

import ipaddress
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from hive import log
from hive.config import SshSettings

logger = log.get(__name__)

_MAX_TRACKED = 10_000  # addresses
_TELL_SECONDS = 10.0


class Doorman:
    """Lets new connections in, or not; told again when one has logged in or left.

    An IPv6 customer has a whole /64, so that counts as one address.
    """

    def __init__(self, settings: SshSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._waiting: Counter[str] = Counter()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, at)
        self._turned_away = 0
        self._tell_again_at = 0.0

    def let_in(self, peer: str) -> bool:
        """Whether a new connection from this address may go on; it counts as waiting then."""
        source = _source(peer)
        if not self._take_token(source) or self._crowded(source):
            self._tell(source)
            return False
        self._waiting[source] += 1
        return True

    def leave(self, peer: str) -> None:
        """The connection has logged in or is gone."""
        source = _source(peer)
        self._waiting[source] -= 1
        if self._waiting[source] <= 0:
            del self._waiting[source]

    def _tell(self, source: str) -> None:
        """Log that somebody was turned away: once in a while, for a crowd comes in thousands."""
        self._turned_away += 1
        now = self._clock()
        if now >= self._tell_again_at:
            logger.warning("connections were turned away", number=self._turned_away, last=source)
            self._turned_away = 0
            self._tell_again_at = now + _TELL_SECONDS

    @property
    def waiting(self) -> int:
        return self._waiting.total()

    def _crowded(self, source: str) -> bool:
        settings = self._settings
        if self._waiting[source] >= settings.max_unauthenticated_per_address:
            return True
        # From half of the limit on, some are turned away by lot, so that a crowd from many
        # addresses cannot keep everybody else out by being there first.
        half = settings.max_unauthenticated / 2
        over = self.waiting - half
        return over >= 0 and random.random() < (over + 1) / max(half, 1)  # noqa: S311 - no secret

    def _take_token(self, source: str) -> bool:
        now = self._clock()
        burst = float(self._settings.new_connections_burst_per_address)
        tokens, at = self._buckets.pop(source, (burst, now))
        refill = self._settings.new_connections_per_minute_per_address / 60
        tokens = min(burst, tokens + (now - at) * refill)
        allowed = tokens >= 1
        self._buckets[source] = (tokens - 1 if allowed else tokens, now)
        while len(self._buckets) > _MAX_TRACKED:
            self._buckets.popitem(last=False)
        return allowed


def plain_address(peer: str) -> str:
    """An address as people write it: IPv4 as such, even where it came in by way of IPv6."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return peer if mapped is None else str(mapped)


def _source(peer: str) -> str:
    try:
        address = ipaddress.ip_address(plain_address(peer).partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
