"""Who is visiting, where proxies stand between: the word of trusted ones only."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from hive import addresses, log
from hive.addresses import Address, Network
from web.app_keys import ADDRESS, SETTINGS, Handler

_MAX_HOPS = 20


@web.middleware
async def know_the_visitor(request: web.Request, handler: Handler) -> web.StreamResponse:
    trusted = _trusted(request)
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    request[ADDRESS] = visitor(request.remote, forwarded, trusted)
    with log.context(peer=request[ADDRESS]):
        return await handler(request)


def is_trusted_proxy(request: web.Request) -> bool:
    """Whether the direct peer is a trusted proxy."""
    nearest = parse_address(request.remote or "")
    return nearest is not None and _is_in(nearest, _trusted(request))


def _trusted(request: web.Request) -> list[Network]:
    return [addresses.parse_network(text) for text in request.app[SETTINGS].trusted_proxies]


def visitor(remote: str | None, forwarded: str, trusted: Sequence[Network]) -> str:
    """The address nearest to us that is not a trusted proxy's.

    Each proxy adds at the right whom it heard from. What stands left of an untrusted address is
    that one's own invention, so the header is read from the right and no further.
    """
    nearest = parse_address(remote or "")
    if nearest is None:
        return "unknown"
    for hop in reversed(forwarded.split(",")[-_MAX_HOPS:]):
        if not _is_in(nearest, trusted):
            break
        further = parse_address(hop)
        if further is None:
            break
        nearest = further
    return str(nearest)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def parse_address(text: str) -> Address | None:
    """An address, with or without a port."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    return addresses.parse(bare)
