"""Who may begin to log in, who waits, and who is turned away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hive import addresses, clock
from hive.addresses import Table
from hive.config.settings import SshSettings
from hive.kinds import AddressRuling, AddressTrouble
from hive.services.gate.client_addresses import Ruling
from sshgate.doorman import Doorman


class Guest:
    """A connection as the door sees it."""

    def __init__(self, peer: str, *, has_keys: bool = False) -> None:
        self.peer = peer
        self.has_keys = has_keys
        self.is_inside = False
        self.reason: str | None = None

    def enter(self) -> None:
        self.is_inside = True

    def turn_away(self, reason: str) -> None:
        self.is_inside, self.reason = False, reason


class Street:
    """A door, and a clock that the test moves."""

    def __init__(self, **settings: int) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, Callable[[], None]]] = []
        self.door = Doorman(SshSettings(**settings), self._later, clock=lambda: self.now)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._due.append((self.now + seconds, call))

    def wait(self, seconds: float) -> None:
        """Let time pass, and everything happen that was asked for meanwhile."""
        end = self.now + seconds
        while due := [one for one in self._due if one[0] <= end]:
            at, call = first = min(due, key=lambda one: one[0])
            self._due.remove(first)
            self.now = at
            call()
        self.now = end

    def arrive(self, peer: str = "192.0.2.7", count: int = 1, **more: bool) -> list[Guest]:
        guests = [Guest(peer, **more) for _ in range(count)]
        for guest in guests:
            self.door.arrive(guest)
        return guests

    def log_in(self, peer: str) -> None:
        (guest,) = self.arrive(peer)
        assert guest.is_inside
        self.door.logged_in(guest)


def inside(guests: list[Guest]) -> int:
    return sum(guest.is_inside for guest in guests)


def reasons(guests: list[Guest]) -> list[str]:
    return [guest.reason for guest in guests if guest.reason is not None]


def test_a_site_that_logs_in_well_waits_but_is_never_turned_away() -> None:
    street = Street()
    machines = street.arrive(count=100)
    assert inside(machines) == 10
    assert street.door.waiting == 90
    logged_in = 0
    while busy := [guest for guest in machines if guest.is_inside]:
        for guest in busy:
            guest.is_inside = False
            street.door.logged_in(guest)
            logged_in += 1
    assert logged_in == 100
    assert not reasons(machines)


def test_failures_cost_credit_and_time_gives_it_back() -> None:
    street = Street(new_connections_burst_per_address=3, new_connections_per_minute_per_address=60)

    def fail(count: int) -> list[Guest]:
        guests = street.arrive(count=count)
        for guest in guests:
            if guest.is_inside:
                street.door.leave(guest)
        return guests

    tries = fail(5)
    assert inside(tries) == 3
    assert inside(street.arrive("192.0.2.8")) == 1
    street.wait(1.1)
    assert inside(tries) == 4
    street.wait(1.1)
    assert inside(tries) == 5
    slowed = street.door.take_observations()
    assert [(one.address, one.trouble, one.count) for one in slowed] == [
        ("192.0.2.7", AddressTrouble.SLOWED_DOWN, 2)
    ]


def test_who_waits_too_long_reads_why() -> None:
    street = Street(
        new_connections_burst_per_address=1,
        new_connections_per_minute_per_address=1,
        waiting_seconds=20,
    )
    first, second = street.arrive(count=2)
    street.door.leave(first)
    street.wait(21)
    assert second.reason is not None
    assert "did not log in" in second.reason
    assert "192.0.2.7" in second.reason
    assert street.door.waiting == 0


def test_no_address_fills_the_waiting_room() -> None:
    street = Street(max_waiting=20, max_waiting_per_address=6)
    mine = street.arrive("192.0.2.7", count=20)
    assert street.door.waiting == 6
    assert len(reasons(mine)) == 4
    # Strangers have half of it; a busier address makes room for one that has nobody there.
    street.arrive("192.0.2.8", count=30)
    (other,) = street.arrive("192.0.2.9")
    assert other.is_inside
    for number in range(30, 80):
        street.arrive(f"192.0.2.{number}")
    assert street.door.waiting <= 20


def test_a_company_of_hundreds_of_machines_waits_and_a_stranger_still_gets_a_turn() -> None:
    street = Street()
    company = street.arrive("192.0.2.7", count=410)
    assert not reasons(company)
    assert len(reasons(street.arrive("192.0.2.7", count=3))) == 3
    (other,) = street.arrive("192.0.2.8")
    assert other.is_inside
    # A second crowd takes its share of the room from the first, not from those who come alone.
    street.arrive("192.0.2.9", count=300)
    crowd = [street.arrive(f"192.0.3.{number}", count=1)[0] for number in range(60)]
    assert not reasons(crowd)


def test_what_is_kept_of_a_crowd_is_bounded() -> None:
    street = Street(max_waiting=300)
    for number in range(12_000):
        peer = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        for guest in street.arrive(peer):
            street.door.logged_in(guest)
    assert len(street.door._recent) == len(street.door._credit._kept) == 10_000
    for number in range(5_000):
        street.arrive(f"11.0.{number >> 8}.{number & 255}")
    assert street.door.unauthenticated <= 60
    assert street.door.waiting <= 150
    assert len(street.door.take_observations()) == 200


def test_addresses_that_logged_in_lately_get_in_through_any_crowd() -> None:
    street = Street()
    for number in range(8):
        street.log_in(f"203.0.113.{number}")
    for number in range(1, 13):
        street.arrive(f"192.0.2.{number}", count=10)
    assert street.door.unauthenticated == 30
    known = [street.arrive(f"203.0.113.{number}")[0] for number in range(8)]
    assert inside(known) == 8
    (stranger,) = street.arrive("198.51.100.1")
    assert inside([stranger]) == 0
    # The crowd only holds places: after a while one of them is the stranger's.
    street.wait(11)
    assert stranger.is_inside


def test_an_address_that_logged_in_long_ago_is_a_stranger_again() -> None:
    street = Street(max_unauthenticated=4)
    street.log_in("203.0.113.1")
    street.arrive("192.0.2.1", count=4)
    assert inside(street.arrive("203.0.113.1")) == 1
    street.now += timedelta(days=31).total_seconds()
    street.arrive("192.0.2.2", count=4)
    assert inside(street.arrive("203.0.113.1")) == 0


def test_half_open_connections_of_the_own_address_yield() -> None:
    street = Street()
    half_open = street.arrive(count=10)
    (mine,) = street.arrive()
    assert inside([mine]) == 0
    street.wait(10.5)
    assert mine.is_inside
    assert "You did not log in within 10 seconds" in reasons(half_open)[0]
    assert len(reasons(half_open)) == 1


def test_who_exchanged_keys_is_given_up_last() -> None:
    street = Street(max_unauthenticated_per_address=3)
    person = street.arrive(has_keys=True)[0]
    silent = street.arrive(count=2)
    street.wait(11)
    street.arrive(count=2)
    street.wait(0.5)
    assert person.is_inside
    assert inside(silent) == 0


def test_a_person_is_left_alone_where_nobody_waits() -> None:
    street = Street()
    (person,) = street.arrive(has_keys=True)
    street.wait(110)
    assert person.is_inside


def test_addresses_take_turns() -> None:
    street = Street(max_unauthenticated=2, max_unauthenticated_per_address=1)
    (first,) = street.arrive("192.0.2.1")
    crowd = street.arrive("192.0.2.2", count=5)
    (later,) = street.arrive("192.0.2.3")
    street.door.leave(first)
    assert inside(crowd) == 1
    street.door.leave(next(guest for guest in crowd if guest.is_inside))
    assert later.is_inside


def rules(**by_network: AddressRuling) -> Table[Ruling]:
    return Table.of(
        {addresses.parse_network(text): Ruling(one, None) for text, one in by_network.items()}
    )


def test_a_banned_network_is_turned_away_at_once_and_whoever_waits_there_too() -> None:
    street = Street(max_unauthenticated_per_address=1)
    there = street.arrive("192.0.2.7", count=3)
    (elsewhere,) = street.arrive("192.0.3.7")
    street.door.use(rules(**{"192.0.2.0/24": AddressRuling.BAN}))
    assert len(reasons(there)) == 3
    assert "banned your address" in reasons(street.arrive("::ffff:192.0.2.9"))[0]
    assert elsewhere.is_inside
    assert street.door.is_banned("192.0.2.200")


def test_a_ban_is_over_at_its_time() -> None:
    street = Street()
    network = addresses.parse_network("192.0.2.7")
    past = clock.now() - timedelta(seconds=1)
    street.door.use(Table.of({network: Ruling(AddressRuling.BAN, past)}))
    assert inside(street.arrive("192.0.2.7")) == 1


def test_an_allowed_address_has_no_limit_of_its_own() -> None:
    street = Street(max_waiting=300, max_waiting_per_address=5, new_connections_burst_per_address=1)
    street.door.use(rules(**{"192.0.2.7": AddressRuling.ALLOW}))
    assert inside(street.arrive("192.0.2.7", count=80)) == 60
    assert street.door.waiting == 20
    street.arrive("192.0.2.7", count=500)
    assert street.door.waiting == 300


def test_a_released_address_has_its_whole_credit() -> None:
    street = Street(new_connections_burst_per_address=2)
    for guest in street.arrive(count=2):
        street.door.leave(guest)
    (waiting,) = street.arrive()
    assert inside([waiting]) == 0
    street.door.release("192.0.2.7")
    assert waiting.is_inside


def test_whoever_waits_reads_that_the_server_stops() -> None:
    street = Street(max_unauthenticated=1)
    _, waiting = street.arrive(count=2)
    street.door.close("The server is stopping.")
    assert waiting.reason == "The server is stopping."
    assert street.door.waiting == 0
