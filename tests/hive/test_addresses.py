"""How client addresses are written, compared and grouped."""

from __future__ import annotations

import pytest

from hive import addresses
from hive.addresses import Table


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
    assert addresses.plain(peer) == plain


@pytest.mark.parametrize(
    ("peer", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 100, "x" * 64),
    ],
)
def test_one_customer_is_one_client(peer: str, group: str) -> None:
    assert addresses.limit_group(peer) == group


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", None),
    ],
)
def test_the_neighbourhood_of_an_address(address: str, network: str | None) -> None:
    assert addresses.neighbourhood(address) == network


@pytest.mark.parametrize(
    ("address", "networks", "is_in"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::ffff:192.0.2.0/120"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("2001:db8::7", ["192.0.2.0/24", "2001:db8::/32"], True),
        ("somewhere", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_an_address_in_networks(address: str, networks: list[str], is_in: bool) -> None:
    assert addresses.is_in(address, networks) == is_in


def test_a_table_finds_the_smallest_network() -> None:
    table = Table.of(
        {
            addresses.parse_network(text): text
            for text in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32")
        }
    )
    assert table.find("10.1.2.3") == "10.1.2.3"
    assert table.find("::ffff:10.1.2.4") == "10.1.0.0/16"
    assert table.find("10.2.0.1") == "10.0.0.0/8"
    assert table.find("192.0.2.7") == "0.0.0.0/0"
    assert table.find("2001:db8:1::1") == "2001:db8::/32"
    assert table.find("2001:db9::1") is None
    assert table.find("somewhere") is None
