"""Which addresses and URLs that people type may be asked for something."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from yarl import URL

from hive.errors import InvalidInput

MAX_URL_LENGTH = 4096

# From the registries of special-purpose addresses (RFC 6890). Written out, because what Python's
# `is_global` says differs between releases.
_FORBIDDEN_4 = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
    )
]
_GLOBAL_UNICAST_6 = ip_network("2000::/3")
_FORBIDDEN_6 = [
    ip_network(network)
    for network in (
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "3fff::/20",
    )
]
_NAT64 = ip_network("64:ff9b::/96")
_FULL_ADDRESS = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_ALLOWED_IN_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")


class ForbiddenAddress(OSError):
    """An address nobody allowed; an OSError, as what refuses to connect has to raise one."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is not a public address")
        self.address = address


class Guard:
    """Public addresses may be asked, and of the others those in `allowed_networks`."""

    def __init__(self, allowed_networks: Iterable[str] = ()) -> None:
        self._settings = [ip_network(network) for network in allowed_networks]
        self._allowed = list(self._settings)

    def allow_also(self, networks: Iterable[str]) -> None:
        """These as well, from now on, in place of those of the last call."""
        self._allowed = [*self._settings, *(ip_network(network) for network in networks)]

    def check(self, address: str) -> None:
        """ForbiddenAddress, unless `address` may be asked."""
        parsed = ip_address(address.partition("%")[0])
        meant = _meant(parsed)
        if any(each in network for network in self._allowed for each in (parsed, meant)):
            return
        if not _is_public(meant):
            raise ForbiddenAddress(str(meant))

    def socket_for(self, address: AddrInfoType) -> socket.socket:
        """The socket of one connection, to an address that was checked at this very moment."""
        family, kind, protocol, _, place = address
        self.check(str(place[0]))
        return socket.socket(family, kind, protocol)


class GuardedResolver(AbstractResolver):
    """Hands on what `resolver` found, or refuses the name if any of it is forbidden."""

    def __init__(self, resolver: AbstractResolver, guard: Guard) -> None:
        self._resolver = resolver
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            self._guard.check(each["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    embedded = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        embedded = IPv4Address(int(address) & 0xFFFFFFFF)
    return embedded or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _FORBIDDEN_4)
    return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _FORBIDDEN_6)


def parse_url(text: str, *, field: str | None = None) -> URL:
    """`text` as an http(s) URL that can be asked; InvalidInput says what is wrong, not `text`.

    Its host is not judged here: what counts is the address that is connected to.
    """

    def wrong(what: str) -> InvalidInput:
        return InvalidInput("The URL %(what)s.", field=field, what=what)

    if len(text) > MAX_URL_LENGTH:
        raise wrong(f"is longer than {MAX_URL_LENGTH} characters")
    if not _ALLOWED_IN_URL.fullmatch(text):
        raise wrong(
            "holds a space, a control character or another character that a URL cannot have; "
            "write it as %XX, and an international host name as xn--..."
        )
    try:
        url = URL(text, encoded=True)
        host, port = url.host, url.port
    except ValueError:
        raise wrong("has no valid host and port") from None
    if url.scheme not in ("http", "https") or not text.lower().startswith(("http://", "https://")):
        raise wrong("must begin with http:// or https://")
    if not host or not port:
        raise wrong("names no host")
    if not host.strip("0123456789.") and not _FULL_ADDRESS.fullmatch(host):
        raise wrong("must have its address in full, four numbers without leading zeros")
    if url.raw_user is not None or url.raw_password is not None or "@" in url.raw_authority:
        raise wrong("must not hold a user name or password; give them as a setting of their own")
    return url.with_fragment(None)
