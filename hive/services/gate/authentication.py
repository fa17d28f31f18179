"""Who is that: the one query that lets a key in at a login."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tortoise.expressions import Q

from hive import addresses
from hive.errors import RefusalCause
from hive.models import Grant, Key
from hive.services.clock import trust


@dataclass(frozen=True)
class Identity:
    """Who logged in: a key that is granted access to the repository of a login."""

    login: str
    repository_id: int
    key_id: int
    fingerprint: str


async def authenticate(login: str, fingerprint: str, address: str) -> Identity | None:
    """The identity behind a key at a login: one query, the same work whatever is wrong."""
    now = trust.latest()  # a clock that went back does not make a key valid again
    rows = await Grant.filter(
        Q(key__expires_at=None) | Q(key__expires_at__gt=now),
        repository__login=login,
        key__fingerprint=fingerprint,
        repository__deleted_at=None,
        key__enabled=True,
        key__owner__keys_enabled=True,
    ).values("repository_id", "key_id", "key__networks")
    for row in rows:
        if _in_networks(address, row["key__networks"]):
            return Identity(login, row["repository_id"], row["key_id"], fingerprint)
    return None


def _in_networks(address: str, networks: Iterable[str]) -> bool:
    """Whether the address is in one of the networks; no networks means from anywhere."""
    networks = list(networks)
    return not networks or addresses.is_in(address, networks)


def problem_of(key: Key, address: str, *, is_running: bool = False) -> RefusalCause | None:
    """Why a key that is granted opens nothing from there now; None where it does.

    `key.owner` must have been fetched. After a jump of the clock a key has expired by either time;
    a session that `is_running` goes on unless the estimated one says so.
    """
    now = trust.estimated() if is_running else trust.latest()
    if not key.enabled:
        return RefusalCause.KEY_DISABLED
    if not key.owner.keys_enabled:
        return RefusalCause.OWNER_DISABLED
    if key.expires_at is not None and key.expires_at <= now:
        return RefusalCause.KEY_EXPIRED
    if not _in_networks(address, key.networks):
        return RefusalCause.WRONG_NETWORK
    return None
