"""What people may know of a key: itself, what it opens, and whether others have it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.kinds import Access
from hive.models import Grant, Key, KeyShare
from hive.services.outbox.expiries import is_soon
from hive.services.permissions import Actor, visible_keys, visible_repository_ids
from hive.services.shares import GroupShare


@dataclass(frozen=True)
class KeyUse:
    """One repository that a key opens."""

    repository_id: int
    repository: str
    login: str
    access: Access


@dataclass(frozen=True)
class Twin:
    """The same public key under another owner."""

    key_id: int
    name: str
    owner: str
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class KeyInfo:
    id: int
    name: str
    owner: str
    type: str
    bits: int
    fingerprint: str
    comment: str
    line: str
    enabled: bool
    expires_at: datetime | None
    networks: tuple[str, ...]
    groups: tuple[str, ...]
    last_used_at: datetime | None
    created_at: datetime
    uses: tuple[KeyUse, ...]
    shares: tuple[GroupShare, ...] = ()
    twins: tuple[Twin, ...] = ()  # as far as the actor may see them
    owner_enabled: bool = True  # if not, the key is refused
    is_owner_disabled: bool = False  # altogether, not just their keys

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= clock.now()

    @property
    def expires_soon(self) -> bool:
        """Whether its owner is warned already, and it is not over yet."""
        return self.enabled and not self.is_expired and is_soon(self.expires_at)


async def info(actor: Actor, key: Key) -> KeyInfo:
    """What the actor may know of one key."""
    return (await infos(actor, [key]))[0]


async def infos(actor: Actor, rows: Sequence[Key]) -> list[KeyInfo]:
    """What the actor may know of keys, in a few queries however many there are."""
    await Key.fetch_for_list(list(rows), "owner")
    ids = [key.id for key in rows]
    grants = Grant.filter(key_id__in=ids, repository__deleted_at=None)
    visible = None if actor.sees_all else set(await visible_repository_ids(actor))
    uses: dict[int, list[KeyUse]] = {key_id: [] for key_id in ids}
    owned = {key.id for key in rows if actor.user_id is not None and key.owner_id == actor.user_id}
    for grant in await grants.select_related("repository").order_by("repository__name", "id"):
        # Who merely shares the key learns nothing of repositories that others use it for.
        if visible is None or grant.key_id in owned or grant.repository_id in visible:
            repository = grant.repository
            use = KeyUse(repository.id, repository.name, repository.login, grant.access)
            uses[grant.key_id].append(use)
    shared: dict[int, list[GroupShare]] = {key_id: [] for key_id in ids}
    for row in (
        await KeyShare.filter(key_id__in=ids).select_related("group").order_by("group__name")
    ):
        shared[row.key_id].append(GroupShare(row.group.name, row.level))
    twins = await _twins(actor, rows)
    return [
        _as_info(key, tuple(uses[key.id]), tuple(shared[key.id]), twins.get(key.id, ()))
        for key in rows
    ]


async def _twins(actor: Actor, rows: Sequence[Key]) -> dict[int, tuple[Twin, ...]]:
    """The same public keys under other owners; nobody hears of a key that they may not see."""
    same: dict[str, list[Key]] = {}
    prints = {key.fingerprint for key in rows}
    visible = Key.filter(await visible_keys(actor), fingerprint__in=prints)
    for key in await visible.distinct().select_related("owner").order_by("owner__name", "id"):
        same.setdefault(key.fingerprint, []).append(key)
    return {
        key.id: tuple(
            Twin(other.id, other.name, other.owner.name, other.enabled)
            for other in same.get(key.fingerprint, [])
            if other.id != key.id
        )
        for key in rows
    }


def _as_info(
    key: Key,
    uses: tuple[KeyUse, ...],
    shared: tuple[GroupShare, ...],
    twins: tuple[Twin, ...],
) -> KeyInfo:
    return KeyInfo(
        id=key.id,
        name=key.name,
        owner=key.owner.name,
        type=key.type,
        bits=key.bits,
        fingerprint=key.fingerprint,
        comment=key.comment,
        line=f"{key.type} {key.blob}",
        enabled=key.enabled,
        expires_at=key.expires_at,
        networks=tuple(key.networks),
        groups=tuple(share.group for share in shared),
        last_used_at=key.last_used_at,
        created_at=key.created_at,
        uses=uses,
        shares=shared,
        twins=twins,
        owner_enabled=key.owner.keys_enabled,
        is_owner_disabled=key.owner.is_disabled,
    )
