"""Client addresses: how they are written, compared and grouped. The only place that parses them.

An IPv4 address that came in over IPv6 (`::ffff:192.0.2.7`) is that IPv4 address everywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Generic, TypeVar

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CUSTOMER = 64  # bits: an IPv6 customer has at least the rest
_NEIGHBOURHOOD = {4: 24, 6: _CUSTOMER}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

T = TypeVar("T")


def parse(text: str) -> Address | None:
    """The address in `text`, without its zone; None where it is not an address."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def parse_network(text: str) -> Network:
    """A network, or one address as a network of one; ValueError says what is wrong."""
    found = ipaddress.ip_network(text.strip())
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        inside = found.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{inside}/{found.prefixlen - _MAPPED.prefixlen}")
    return found


def plain(text: str) -> str:
    """An address as people write it; what is not an address stays as it is."""
    found = parse(text)
    return str(found) if isinstance(found, IPv4Address) else text


def limit_group(text: str) -> str:
    """What limits count as one client: an IPv4 address, or the /64 of one IPv6 customer."""
    found = parse(text)
    if found is None:
        return text[:64]
    if isinstance(found, IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, _CUSTOMER), strict=False))


def neighbourhood(text: str) -> str | None:
    """The /24 or /64 around an address; None for what is not an address."""
    found = parse(text)
    if found is None:
        return None
    return str(ipaddress.ip_network(f"{found}/{_NEIGHBOURHOOD[found.version]}", strict=False))


def is_in(text: str, networks: Iterable[str]) -> bool:
    """Whether an address is in one of these networks; what is not an address is in none."""
    found = parse(text)
    return found is not None and any(found in parse_network(network) for network in networks)


@dataclass(frozen=True)
class Table(Generic[T]):
    """Values by network: finds the smallest network of an address, however many there are."""

    _by_prefix: Mapping[tuple[int, int], Mapping[int, T]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Mapping[Network, T]) -> Table[T]:
        by_prefix: dict[tuple[int, int], dict[int, T]] = {}
        for network, value in sorted(rows.items(), key=lambda row: -row[0].prefixlen):
            prefix = by_prefix.setdefault((network.version, network.prefixlen), {})
            prefix[int(network.network_address)] = value
        return cls(by_prefix)

    def find(self, text: str) -> T | None:
        address = parse(text)
        if address is None:
            return None
        for (version, length), rows in self._by_prefix.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                value = rows.get(int(address) >> shift << shift)
                if value is not None:
                    return value
        return None
