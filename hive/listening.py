"""Sockets to listen on: several addresses, IPv4 and IPv6, with one port number for all.

Where a port is 0, the system chooses one that is free on every address. A machine may lack one of
the two families: its address is left out then, which is a line in the log.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from hive import log
from hive.config.values import Address
from hive.errors import Unavailable

logger = log.get(__name__)

_TRIES = 20  # to find a port that is free on all addresses
# What every machine has that has the family at all.
_EVERYWHERE = ("0.0.0.0", "127.0.0.1", "::", "::1")  # noqa: S104 - only compared

_Place = tuple[socket.AddressFamily, tuple[str | int, ...]]


async def open_sockets(
    addresses: Sequence[Address], *, what: str, backlog: int
) -> list[socket.socket]:
    """A listening socket for each address, IPv4 first; Unavailable where one cannot be had.

    what  who wants to listen, as the message begins: 'The web server'
    """
    for _ in range(_TRIES):
        found = await _open_all(addresses, what, backlog)
        if found is not None:
            return sorted(found, key=lambda one: one.family != socket.AF_INET)
    raise Unavailable(
        "%(what)s finds no port that is free on all of %(addresses)s.",
        what=what,
        addresses=", ".join(map(str, addresses)),
    )


async def _open_all(
    addresses: Sequence[Address], what: str, backlog: int
) -> list[socket.socket] | None:
    """None where the port that the system chose is taken on another address."""
    opened: list[socket.socket] = []
    left_out: list[tuple[Address, OSError]] = []
    chosen = 0
    with ExitStack() as stack:
        for address in sorted(addresses, key=lambda one: ":" in one.host):
            port = address.port or chosen
            try:
                for family, where in await _resolve(address.host, port):
                    made = stack.enter_context(_bound(family, where, backlog))
                    opened.append(made)
                    if not address.port:
                        chosen = port = made.getsockname()[1]
            except OSError as error:
                if is_missing_family(address, error):
                    left_out.append((address, error))
                elif error.errno == errno.EADDRINUSE and not address.port and port:
                    return None
                else:
                    raise _unavailable(what, address, error) from error
        if not opened:
            raise _unavailable(what, *left_out[0])
        stack.pop_all()
    for address, missing in left_out:
        reason = missing.strerror or str(missing)
        logger.info("this machine lacks an address", address=str(address), reason=reason)
    return opened


def is_missing_family(address: Address, error: OSError) -> bool:
    """Whether the machine has no IPv6, or no IPv4, at all."""
    if error.errno == errno.EAFNOSUPPORT:
        return True
    return error.errno == errno.EADDRNOTAVAIL and address.host in _EVERYWHERE


async def _resolve(host: str, port: int) -> list[_Place]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = [(family, where) for family, _, _, _, where in found]
    return [(family, (where[0], port, *where[2:])) for family, where in dict.fromkeys(places)]


def _bound(
    family: socket.AddressFamily, where: tuple[str | int, ...], backlog: int
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 uses a separate socket
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(where)
        made.listen(backlog)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _unavailable(what: str, address: Address, error: OSError) -> Unavailable:
    return Unavailable(
        "%(what)s cannot listen on %(address)s: %(error)s.",
        what=what,
        address=address,
        error=error.strerror or error,
    )


def shown_address(opened: Sequence[socket.socket]) -> Address:
    """The first of these sockets, as HOST:PORT."""
    host, port = opened[0].getsockname()[:2]
    return Address(host, port)
