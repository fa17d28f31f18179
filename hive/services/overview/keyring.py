"""What the page of all keys shows, asked for with one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.services.gate import client_addresses
from hive.services.keys import keys, refused_keys
from hive.services.keys.infos import KeyInfo
from hive.services.keys.refused_keys import RefusedKeyInfo
from hive.services.permissions import Actor


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """keys: those that the actor may see. refused: those on repositories that they may change.

    without_common_algorithm: clients that no key could help, for administrators
    """

    keys: Sequence[KeyInfo]
    refused: Sequence[RefusedKeyInfo]
    without_common_algorithm: Sequence[client_addresses.AddressInfo]


async def keyring(actor: Actor) -> Keyring:
    return Keyring(
        keys=await keys.list_keys(actor),
        refused=await refused_keys.list_refused(actor),
        without_common_algorithm=await client_addresses.without_common_algorithm(actor),
    )
