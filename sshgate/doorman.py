"""The door: which connections that have not logged in may begin their handshake, and when.

A connection gets a place, waits for one, or is turned away in words.

places      in number; half of them are for addresses that logged in lately, and one address has
            only its own share
credit      a handshake costs an address one, a login pays it back and earns one more, and time
            refills it: what is limited is failing, not logging in
waiting     in number, in time and for each address; addresses take turns
giving up   while others wait, a place that was held for a while without a login goes to an
            address that holds fewer, most willingly that of a client that exchanged no keys

What is kept of addresses is bounded; an IPv6 customer has a whole /64, so that counts as one.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from hive import addresses, log
from hive.addresses import Table
from hive.config.settings import SshSettings
from hive.kinds import AddressRuling, AddressTrouble
from hive.services.gate.client_addresses import Observation, Ruling
from sshgate import words
from sshgate.credit import Credit

logger = log.get(__name__)

_MAX_TRACKED = 10_000  # addresses that logged in
_MAX_OBSERVED = 200  # addresses between two times that observations are taken
_RECENT_SECONDS = 30 * 24 * 3600.0
_MAX_HELPED = 20  # addresses that a place is looked for at a time
_UNHURRIED_SECONDS = 10.0  # that a place may be held while others wait
_LOOK_AGAIN_SECONDS = 0.25
_TELL_SECONDS = 10.0

Later = Callable[[float, Callable[[], None]], object]


class Guest(Protocol):
    """A connection that has not logged in, as the door knows it."""

    @property
    def peer(self) -> str: ...
    @property
    def has_keys(self) -> bool:
        """Whether the client has done its part of the key exchange."""
        ...

    def enter(self) -> None:
        """Begin the handshake: there is a place."""

    def turn_away(self, reason: str) -> None:
        """Tell the client why, and close the connection."""


@dataclass(eq=False, slots=True)
class _Visit:
    guest: Guest
    source: str
    since: float  # of arriving, then of entering
    is_allowed: bool  # by an administrator: no limit of its address holds
    is_known: bool = False  # when it entered
    is_slowed: bool = False


class Doorman:
    """Gives out places. Tell it of every connection that arrives, logs in or leaves."""

    def __init__(
        self,
        settings: SshSettings,
        later: Later,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_observation: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._later = later
        self._clock = clock
        self._on_observation = on_observation
        self._inside: dict[str, dict[Guest, _Visit]] = {}  # by source, like the queues
        self._queues: OrderedDict[str, dict[Guest, _Visit]] = OrderedDict()
        self._credit = Credit(settings, clock)
        self._recent: OrderedDict[str, float] = OrderedDict()
        self._rules: Table[Ruling] = Table()
        self._observed: dict[tuple[str, AddressTrouble], Observation] = {}
        self._turned_away = 0
        self._tell_again_at = 0.0
        self._looks_again = False

    @property
    def unauthenticated(self) -> int:
        """Connections that have a place and have not logged in."""
        return sum(map(len, self._inside.values()))

    @property
    def waiting(self) -> int:
        """Connections that have no place yet."""
        return sum(map(len, self._queues.values()))

    # what happens to connections

    def arrive(self, guest: Guest) -> None:
        """A new connection: it enters now or later, or is turned away."""
        source = addresses.limit_group(guest.peer)
        rule = self._rule(guest.peer)
        if rule is AddressRuling.BAN:
            self._turn_away(guest, source, words.BANNED.format(source), AddressTrouble.BANNED)
            return
        visit = _Visit(guest, source, self._clock(), rule is AddressRuling.ALLOW)
        refusal = self._refusal(source, is_allowed=visit.is_allowed)
        if refusal is not None:
            self._turn_away(guest, source, refusal)
            return
        self._queues.setdefault(source, {})[guest] = visit
        self._look()

    def logged_in(self, guest: Guest) -> None:
        """The connection needs no place any more, and its address has proven itself."""
        visit = self._remove(guest, self._inside)
        if visit is not None:
            self._credit.earn(visit.source)
            self._remember(visit.source, self._clock())
            self._look()

    def leave(self, guest: Guest) -> None:
        """The connection is gone without a login, or after one."""
        if (self._remove(guest, self._queues) or self._remove(guest, self._inside)) is not None:
            self._look()

    def close(self, reason: str) -> None:
        """Turn away all that still wait: the server stops."""
        waiting = [visit.guest for queue in self._queues.values() for visit in queue.values()]
        self._queues.clear()
        for guest in waiting:
            guest.turn_away(reason)

    # what is known of addresses

    def remember(self, peers: Iterable[str]) -> None:
        """These addresses have logged in lately; the last one is the newest."""
        for peer in peers:
            self._remember(addresses.limit_group(peer), self._clock())

    def use(self, rules: Table[Ruling]) -> None:
        """Follow these rules of administrators from now on."""
        self._rules = rules
        for visit in list(self._visits(self._queues, self._inside)):
            if self.is_banned(visit.guest.peer):
                self.leave(visit.guest)
                visit.guest.turn_away(words.BANNED.format(visit.source))

    def is_banned(self, peer: str) -> bool:
        return self._rule(peer) is AddressRuling.BAN

    def release(self, address: str) -> None:
        """Forget what failed at this address: it has its whole credit again."""
        self._credit.forget(address)
        self._look()

    def observe(self, observation: Observation) -> None:
        """Keep what is worth an administrator's attention until it is taken."""
        key = (observation.address, observation.trouble)
        if key in self._observed or len(self._observed) < _MAX_OBSERVED:
            before = self._observed.get(key)
            self._observed[key] = observation.after(before)
            self._on_observation()

    def take_observations(self) -> list[Observation]:
        taken = list(self._observed.values())
        self._observed.clear()
        return taken

    # the decisions

    def _rule(self, peer: str) -> AddressRuling | None:
        ruling = self._rules.find(peer)
        return ruling.verdict if ruling is not None and ruling.holds else None

    def _refusal(self, source: str, *, is_allowed: bool) -> str | None:
        """Why one more may not even wait; a busier address makes room for it if it can."""
        settings = self._settings
        limit = settings.max_waiting if is_allowed else settings.max_waiting_per_address
        if len(self._queues.get(source, ())) >= limit:
            return words.ADDRESS_WAITS.format(source)
        if self.waiting < settings.max_waiting // 2:
            return None
        known = is_allowed or self._is_known(source)
        most = settings.max_waiting if known else max(settings.max_waiting // 2, 1)
        rivals = {
            other: queue
            for other, queue in self._queues.items()
            if known or not self._is_known(other)
        }
        if sum(map(len, rivals.values())) < most:
            return None
        busiest = max(rivals, key=lambda other: len(rivals[other]), default=source)
        if len(rivals.get(busiest, ())) <= len(rivals.get(source, ())) + 1:
            return words.SERVER_FULL
        last = next(reversed(self._queues[busiest]))
        self._remove(last, self._queues)
        self._turn_away(last, busiest, words.SERVER_FULL)
        return None

    def _look(self) -> None:
        """Let in all that can be; look again while somebody waits."""
        while self._let_one_in():
            pass
        if self._queues and not self._looks_again:
            self._looks_again = True
            self._later(_LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        """What time changes: credit, places that are held for long, and patience."""
        self._looks_again = False
        now = self._clock()
        while self._let_one_in() or self._take_a_place_back(now):
            pass
        for visit in list(self._visits(self._queues)):
            if now - visit.since >= self._settings.waiting_seconds:
                self._remove(visit.guest, self._queues)
                failed = visit.is_slowed and self._credit.of(visit.source) < 1
                reason = words.ADDRESS_FAILED if failed else words.SERVER_FULL
                self._turn_away(visit.guest, visit.source, reason.format(visit.source))
        self._look()

    def _let_one_in(self) -> bool:
        if not self._queues or self.unauthenticated >= self._settings.max_unauthenticated:
            return False
        strangers = self._strangers()
        for source, queue in self._queues.items():
            visit = next(iter(queue.values()))
            if not self._has_place(visit, strangers):
                continue
            if not visit.is_allowed and not self._credit.take(source):
                self._slow(queue)
                continue
            del queue[visit.guest]
            self._queues.move_to_end(source)  # the others come first then
            if not queue:
                del self._queues[source]
            visit.since, visit.is_known = self._clock(), visit.is_allowed or self._is_known(source)
            self._inside.setdefault(source, {})[visit.guest] = visit
            visit.guest.enter()
            return True
        return False

    def _has_place(self, visit: _Visit, strangers: int) -> bool:
        """Whether the limits leave one for it, where there is a free one at all."""
        if visit.is_allowed:
            return True
        if self._holds(visit.source) >= self._settings.max_unauthenticated_per_address:
            return False
        return strangers < self._places_of_strangers or self._is_known(visit.source)

    @property
    def _places_of_strangers(self) -> int:
        return max(self._settings.max_unauthenticated // 2, 1)

    def _take_a_place_back(self, now: float) -> bool:
        """End one connection that holds its place for long, where somebody waits for it."""
        if not self._queues:
            return False
        slow = [
            visit
            for visit in self._visits(self._inside)
            if now - visit.since >= _UNHURRIED_SECONDS and not visit.is_allowed
        ]
        if not slow:
            return False
        is_full = self.unauthenticated >= self._settings.max_unauthenticated
        strangers = self._strangers()
        for queue in itertools.islice(self._queues.values(), _MAX_HELPED):
            visit = next(iter(queue.values()))
            if self._has_place(visit, strangers) and not is_full:
                continue  # what it lacks is credit
            rivals = [other for other in slow if self._must_yield(other, visit)]
            if rivals:
                last = min(rivals, key=lambda one: (one.guest.has_keys, one.since))
                self._remove(last.guest, self._inside)
                reason = words.GAVE_UP_PLACE.format(round(now - last.since))
                self._turn_away(last.guest, last.source, reason)
                return True
        return False

    def _must_yield(self, holder: _Visit, visit: _Visit) -> bool:
        held = self._holds(visit.source)
        if not visit.is_allowed and held >= self._settings.max_unauthenticated_per_address:
            return holder.source == visit.source
        may_take_any = visit.is_allowed or self._is_known(visit.source)
        if holder.is_known and not may_take_any:
            return False  # a stranger would not get its place
        return not holder.guest.has_keys or self._holds(holder.source) > held + 1

    def _slow(self, queue: dict[Guest, _Visit]) -> None:
        for visit in queue.values():
            if not visit.is_slowed:
                visit.is_slowed = True
                reason = words.ADDRESS_FAILED.format(visit.source)
                trouble = AddressTrouble.SLOWED_DOWN
                self.observe(Observation(address=visit.source, trouble=trouble, reason=reason))

    def _turn_away(
        self,
        guest: Guest,
        source: str,
        reason: str,
        trouble: AddressTrouble = AddressTrouble.TURNED_AWAY,
    ) -> None:
        guest.turn_away(reason)
        self.observe(Observation(address=source, trouble=trouble, reason=reason))
        # Once in a while, for a crowd comes in thousands.
        self._turned_away += 1
        now = self._clock()
        if now >= self._tell_again_at:
            logger.warning(
                "connections were turned away",
                number=self._turned_away,
                last=source,
                reason=reason,
            )
            self._turned_away, self._tell_again_at = 0, now + _TELL_SECONDS

    # small things

    def _holds(self, source: str) -> int:
        return len(self._inside.get(source, ()))

    def _strangers(self) -> int:
        return sum(not visit.is_known for visit in self._visits(self._inside))

    def _is_known(self, source: str) -> bool:
        return self._clock() - self._recent.get(source, -_RECENT_SECONDS) < _RECENT_SECONDS

    def _remember(self, source: str, now: float) -> None:
        self._recent[source] = now
        self._recent.move_to_end(source)
        while len(self._recent) > _MAX_TRACKED:
            self._recent.popitem(last=False)

    @staticmethod
    def _visits(*places: dict[str, dict[Guest, _Visit]]) -> Iterator[_Visit]:
        for place in places:
            for visits in place.values():
                yield from visits.values()

    @staticmethod
    def _remove(guest: Guest, place: dict[str, dict[Guest, _Visit]]) -> _Visit | None:
        source = addresses.limit_group(guest.peer)
        visits = place.get(source, {})
        visit = visits.pop(guest, None)
        if not visits:
            place.pop(source, None)
        return visit
