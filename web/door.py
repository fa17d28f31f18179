"""Which connections the web server accepts: limits in total and for each address.

A connection without a request is worth little: when the server is full, the one that has waited
longest makes room for a new one. So idle connections from many addresses keep nobody out.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Protocol

from hive import log
from hive.addresses import limit_group, parse_network
from hive.config.settings import WebSettings
from hive.descriptors import Reserve
from web.middleware.address import parse_address

logger = log.get(__name__)

_SHARE = 4  # the web holds at most this part of all descriptors
_LOG_SECONDS = 10.0


class Held(Protocol):
    """What the door knows of a connection."""

    source: str

    @property
    def is_waiting(self) -> bool:
        """Whether it has no complete request, body included."""
        ...

    def end(self) -> None: ...


class Door:
    """Decides on new connections and counts those that are open."""

    def __init__(
        self,
        settings: WebSettings,
        reserve: Reserve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._reserve = reserve or Reserve()
        self._most = max(1, min(settings.max_connections, self._reserve.limit // _SHARE))
        self._proxies = [parse_network(text) for text in settings.trusted_proxies]
        self._open: set[Held] = set()
        self._idle: OrderedDict[Held, None] = OrderedDict()
        self._by_source: Counter[str] = Counter()
        self._clock = clock
        self._refused = 0
        self._log_again_at = 0.0

    def is_proxy(self, peer: str) -> bool:
        """Whether the peer is a trusted proxy, which speaks for many visitors."""
        address = parse_address(peer)
        return address is not None and any(address in network for network in self._proxies)

    def let_in(self, held: Held, peer: str) -> str | None:
        """Count a new connection; returns why it is refused, or None."""
        held.source = "" if self.is_proxy(peer) else limit_group(peer)
        refusal = self._refusal(held.source)
        if refusal is not None:
            self._log(peer, refusal)
            return refusal
        self._open.add(held)
        if held.source:
            self._by_source[held.source] += 1
        return None

    def _refusal(self, source: str) -> str | None:
        most = self.settings.max_connections_per_address
        if source and self._by_source[source] >= most:
            return f"There are {most} connections from your address already."
        if self._reserve.is_touched():
            self._make_room()
            return "The server has too many files open. Try again in a moment."
        if len(self._open) >= self._most and not self._make_room():
            return "The server has too many connections. Try again in a moment."
        return None

    def _make_room(self) -> bool:
        """End the connection that has been without a request for the longest time."""
        held = next((one for one in self._idle if one.is_waiting), None)
        if held is None:
            return False
        self.leave(held)
        held.end()
        return True

    def note_idle(self, held: Held) -> None:
        """The connection has no complete request now."""
        if held in self._open:
            self._idle.setdefault(held)

    def note_busy(self, held: Held) -> None:
        self._idle.pop(held, None)

    def leave(self, held: Held) -> None:
        """The connection is gone, or about to go."""
        self._idle.pop(held, None)
        if held not in self._open:
            return
        self._open.discard(held)
        self._forget(held.source)

    def begin_request(self, visitor: str) -> bool:
        """Count a request that a proxy passes on; False where its visitor has too many."""
        source = limit_group(visitor)
        if self._by_source[source] >= self.settings.max_connections_per_address:
            return False
        self._by_source[source] += 1
        return True

    def end_request(self, visitor: str) -> None:
        self._forget(limit_group(visitor))

    def _forget(self, source: str) -> None:
        if not source:
            return
        self._by_source[source] -= 1
        if self._by_source[source] <= 0:
            del self._by_source[source]

    @property
    def number(self) -> int:
        return len(self._open)

    def _log(self, peer: str, reason: str) -> None:
        """Once in a while: a crowd comes in thousands."""
        self._refused += 1
        now = self._clock()
        if now < self._log_again_at:
            return
        address = parse_address(peer)
        hint = None
        if address is not None and address.is_loopback:
            hint = "if this is your reverse proxy, name it in web.trusted_proxies"
        logger.warning(
            "web connections were refused",
            number=self._refused,
            last=peer,
            reason=reason,
            hint=hint,
        )
        self._refused = 0
        self._log_again_at = now + _LOG_SECONDS
