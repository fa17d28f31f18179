"""Public keys: added, changed, deleted, and what they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import addresses, clock, publickey
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, EventKind, Level, ShareLevel
from hive.models import Grant, Key, KeyShare, User
from hive.sentences import say
from hive.services import audit, events, names, references, shares
from hive.services.permissions import (
    Actor,
    level_on,
    require,
    visible_keys,
    visible_repository_ids,
)
from hive.services.shares import GroupShare

MAX_NETWORKS = 50


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
    owner_enabled: bool = True  # where not, the key is refused

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= clock.now()


async def add_key(
    actor: Actor,
    name: str,
    *,
    owner: str,
    text: str,
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> KeyInfo:
    """Store one public key line for `owner`; InvalidInput and Conflict say what is wrong."""
    title = names.check_title(name, "key")
    parsed = publickey.parse(text)
    checked = check_networks(networks)
    return await _create(
        actor,
        owner,
        parsed,
        name=title,
        expires_at=expires_at,
        networks=checked,
        groups=groups,
    )


@transactional
async def _create(
    actor: Actor,
    owner: str,
    parsed: publickey.PublicKey,
    *,
    name: str,
    expires_at: datetime | None,
    networks: list[str],
    groups: Sequence[str],
) -> KeyInfo:
    user = await _owner(actor, owner)
    same = await Key.get_or_none(owner_id=user.id, fingerprint=parsed.fingerprint)
    if same is not None:
        raise Conflict(
            "%(name)s has this key already: it is named %(same_name)s.",
            field="public_key",
            name=user.name,
            same_name=same.name,
        )
    if await Key.filter(owner_id=user.id, name=name).exists():
        raise Conflict(
            "%(owner)s has another key named %(name)s already.",
            field="name",
            owner=user.name,
            name=name,
        )
    key = await Key.create(
        name=name,
        owner_id=user.id,
        type=parsed.type,
        blob=parsed.blob,
        bits=parsed.bits,
        fingerprint=parsed.fingerprint,
        comment=parsed.comment,
        expires_at=expires_at,
        networks=networks,
        created_at=clock.now(),
    )
    await shares.share(actor, key, groups, ShareLevel.MANAGE)
    await audit.record(
        actor, "key.add", f"key {name} of {user.name}", fingerprint=parsed.fingerprint
    )
    return await _info(actor, key)


async def _owner(actor: Actor, owner: str) -> User:
    user = await references.user(owner)
    if user is None or not (actor.is_admin or actor.user_id == user.id):
        raise NotFound("There is no user %(owner)r.", owner=owner)
    return user


def check_networks(networks: Sequence[str]) -> list[str]:
    """The networks in CIDR form; a bare address is a network of one."""
    if len(networks) > MAX_NETWORKS:
        raise InvalidInput(
            "More than %(max_networks)s networks.", field="networks", max_networks=MAX_NETWORKS
        )
    checked = []
    for text in networks:
        try:
            checked.append(str(addresses.parse_network(text)))
        except ValueError as error:
            raise InvalidInput(
                "%(text)r is not a valid network: write 192.0.2.0/24, 2001:db8::/32 or a "
                "single address (%(error)s).",
                field="networks",
                text=text[:60],
                error=error,
            ) from None
    return checked


async def list_keys(actor: Actor) -> list[KeyInfo]:
    """All keys that the actor may see."""
    rows = await Key.filter(await visible_keys(actor)).order_by("name", "id")
    return await _infos(actor, rows)


async def find_key(actor: Actor, reference: str) -> KeyInfo:
    """The key of this fingerprint, id, name or OWNER/NAME that the actor may see."""
    return await _info(actor, await get_key(actor, reference))


async def find_key_by_id(actor: Actor, key_id: int) -> KeyInfo:
    key = await Key.filter(await visible_keys(actor), id=key_id).first()
    if key is None:
        raise NotFound("There is no such key.")
    return await _info(actor, key)


async def level(actor: Actor, key_id: int) -> Level:
    """How far the actor's rights on the key reach."""
    key = await Key.get_or_none(id=key_id)
    return Level.NONE if key is None else await level_on(actor, key)


async def require_manage(actor: Actor, key_id: int) -> None:
    """Raise as a change of the key would."""
    await _changeable(actor, key_id)


async def get_key(actor: Actor, reference: str) -> Key:
    """The row itself, for other services."""
    visible = Key.filter(await visible_keys(actor))
    # All meanings at once: a name that looks like another key's id must not stand for it.
    meant = references.owned_thing(Key, reference, handle="fingerprint")
    rows = await visible.filter(meant).distinct().limit(2)
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise InvalidInput(
            "%(reference)r can be several keys: say OWNER/NAME, the id or the fingerprint.",
            reference=reference,
        )
    raise NotFound("There is no key %(reference)r.", reference=reference)


@transactional
async def set_key(
    actor: Actor,
    key_id: int,
    *,
    name: str | None = None,
    enabled: bool | None = None,
    expires_at: datetime | None = None,
    never_expires: bool = False,
    networks: Sequence[str] | None = None,
    share_with: Sequence[str] = (),
    share_level: ShareLevel = ShareLevel.MANAGE,
    unshare_from: Sequence[str] = (),
    share_levels: Mapping[str, ShareLevel | None] | None = None,
) -> KeyInfo:
    """Change what is given. An empty list of networks means from anywhere."""
    key = await _changeable(actor, key_id)
    if name is not None:
        title = names.check_title(name, "key")
        if await Key.filter(owner_id=key.owner_id, name=title).exclude(id=key.id).exists():
            raise Conflict(
                "There is another key named %(title)s already.", field="name", title=title
            )
        key.name = title
    if enabled is not None:
        key.enabled = enabled
    if never_expires or expires_at is not None:
        key.expires_at = None if never_expires else expires_at
    if networks is not None:
        key.networks = check_networks(networks)
    await key.save()
    await shares.share(actor, key, share_with, share_level)
    await shares.unshare(actor, key, unshare_from)
    await shares.set_levels(actor, key, share_levels or {})
    await _tell_repositories(
        key, say("Key %(key)s was changed by %(user)s.", key=key.name, user=actor.name)
    )
    await audit.record(
        actor,
        "key.set",
        f"key {key.name}",
        fingerprint=key.fingerprint,
        enabled=enabled,
        expires_at=clock.rfc3339(expires_at) if expires_at else None,
        networks=list(networks) if networks is not None else None,
        name=name,
        never_expires=never_expires or None,
        shared_with=list(share_with) or None,
        unshared_from=list(unshare_from) or None,
        share_levels=dict(share_levels) if share_levels else None,
    )
    events.rights_changed(f"key {key.name} was changed")
    return await _info(actor, key)


@transactional
async def delete_key(actor: Actor, key_id: int) -> None:
    """Delete the key and every grant it has; its sessions keep its name and fingerprint."""
    key = await _changeable(actor, key_id)
    await _tell_repositories(
        key, say("Key %(key)s was deleted by %(user)s.", key=key.name, user=actor.name)
    )
    await key.delete()
    await audit.record(actor, "key.delete", f"key {key.name}", fingerprint=key.fingerprint)
    events.rights_changed(f"key {key.name} was deleted")


async def _tell_repositories(key: Key, message: str) -> None:
    for grant in await Grant.filter(key_id=key.id):
        await events.record(grant.repository_id, EventKind.KEY_CHANGED, message)


async def _changeable(actor: Actor, key_id: int) -> Key:
    key = await Key.get_or_none(id=key_id)
    if key is None:
        raise NotFound("There is no such key.")
    await require(actor, key, Level.MANAGE)
    return key


async def _info(actor: Actor, key: Key) -> KeyInfo:
    return (await _infos(actor, [key]))[0]


async def _infos(actor: Actor, rows: Sequence[Key]) -> list[KeyInfo]:
    """In a few queries, however many keys there are."""
    await Key.fetch_for_list(list(rows), "owner")
    ids = [key.id for key in rows]
    grants = Grant.filter(key_id__in=ids, repository__deleted_at=None)
    visible = None if actor.is_admin else set(await visible_repository_ids(actor))
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
        _told(key, tuple(uses[key.id]), tuple(shared[key.id]), twins.get(key.id, ()))
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


def _told(
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
        owner_enabled=key.owner.enabled,
    )
