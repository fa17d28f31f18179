"""Who may stand at the door, and what counts as one address."""

from __future__ import annotations

import pytest

from hive.config import SshSettings
from sshgate.doorman import Doorman, plain_address


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def doorman(clock: Clock | None = None, **settings: int) -> Doorman:
    return Doorman(SshSettings(**settings), clock or Clock())


@pytest.mark.parametrize(
    ("peer", "plain"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7%eth0"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_an_address_is_written_in_one_way(peer: str, plain: str) -> None:
    assert plain_address(peer) == plain


@pytest.mark.parametrize(
    "peers",
    [
        ("192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8::1", "2001:db8::ffff:1:2:3"),
        ("fe80::1%eth0", "fe80::2%eth1"),
    ],
)
def test_one_customer_has_one_share(peers: tuple[str, str]) -> None:
    door = doorman(max_unauthenticated_per_address=1)
    assert door.let_in(peers[0])
    assert not door.let_in(peers[1])
    door.leave(peers[1])
    assert door.let_in(peers[1])


def test_new_connections_are_paid_from_a_bucket_that_fills_again() -> None:
    clock = Clock()
    door = doorman(
        clock,
        new_connections_burst_per_address=3,
        new_connections_per_minute_per_address=60,
    )

    def knock() -> bool:
        let_in = door.let_in("192.0.2.7")
        if let_in:
            door.leave("192.0.2.7")
        return let_in

    assert [knock() for _ in range(5)] == [True, True, True, False, False]
    clock.now += 1
    assert [knock() for _ in range(2)] == [True, False]
    assert door.let_in("192.0.2.8")


def test_a_crowd_from_everywhere_leaves_some_room_by_lot() -> None:
    door = doorman(max_unauthenticated=40)
    taken = [door.let_in(f"192.0.2.{number}") for number in range(250)]
    assert 20 <= sum(taken) <= 40
    assert door.waiting == sum(taken)
    assert all(taken[:20])
