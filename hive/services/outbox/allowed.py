"""Private networks that administrators allowed for notifications, besides those of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from hive import addresses, clock
from hive.database import transactional
from hive.errors import InvalidInput, NotFound
from hive.models import AllowedNetwork, Channel
from hive.services import audit
from hive.services.outbox import condition
from hive.services.permissions import Actor, require_admin, require_sight

# Where clouds answer with their secrets: only the configuration may allow it.
_NEVER = tuple(ip_network(one) for one in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"))
_WIDEST = {4: 8, 6: 32}


@dataclass(frozen=True, kw_only=True)
class AllowedInfo:
    network: str
    created_by: str
    created_at: datetime


async def networks() -> Sequence[str]:
    """What may be reached besides the networks of the settings; asked before each message."""
    return [row.network for row in await AllowedNetwork.all()]


async def list_allowed(actor: Actor) -> list[AllowedInfo]:
    require_sight(actor)
    rows = await AllowedNetwork.all().order_by("network")
    return [
        AllowedInfo(network=row.network, created_by=row.created_by, created_at=row.created_at)
        for row in rows
    ]


@transactional
async def allow(actor: Actor, text: str) -> str:
    """Let notifications reach an address or network from now on; it as it is stored."""
    require_admin(actor)
    network = _parse(text)
    values = {"created_by": actor.name, "created_at": clock.now()}
    _, is_new = await AllowedNetwork.get_or_create(values, network=network)
    if is_new:
        await audit.record(actor, "notifications.allow", f"network {network}")
    for channel in await Channel.exclude(refused_address=None):
        if addresses.is_in(channel.refused_address or "", [network]):
            channel.refused_address = None
            await channel.save(update_fields=["refused_address"])
            await condition.try_at_once((channel.id, 0))
    return network


@transactional
async def revoke(actor: Actor, text: str) -> str:
    """Let notifications no longer reach it."""
    require_admin(actor)
    network = _parse(text)
    if not await AllowedNetwork.filter(network=network).delete():
        raise NotFound(
            "%(network)s is not among the networks that were allowed here.", network=network
        )
    await audit.record(actor, "notifications.revoke", f"network {network}")
    return network


def _parse(text: str) -> str:
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidInput(
            "%(text)r is not an address or network: 192.168.1.5, 10.0.0.0/24.",
            field="network",
            text=text[:60],
        ) from None
    if network.prefixlen < _WIDEST[network.version]:
        raise InvalidInput("%(network)s is too large a network.", field="network", network=network)
    if any(network.version == one.version and network.overlaps(one) for one in _NEVER):
        raise InvalidInput(
            "%(network)s is link-local: only notifications.allowed_networks can allow it.",
            field="network",
            network=network,
        )
    return str(network)
