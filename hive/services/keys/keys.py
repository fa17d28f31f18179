"""Public keys: added, changed, deleted, and what they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hive import addresses, clock, publickey
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import EventKind, Level, ShareLevel
from hive.models import Grant, Key
from hive.sentences import N_, say
from hive.services import audit, events, names, references, shares, versions
from hive.services.keys import infos
from hive.services.keys.infos import KeyInfo
from hive.services.permissions import Actor, level_on, require, visible_keys
from hive.services.versions import Version

MAX_NETWORKS = 50


@dataclass(frozen=True, kw_only=True)
class AddKey:
    """A key to add; what is absent gets the default named here.

    name        unique among the owner's keys
    text        one line of a public key file
    owner       a user by name or id; None: the actor. Only administrators name somebody else
    expires_at  None: never
    networks    where it is accepted from, in CIDR form or as addresses; none: from anywhere
    groups      groups to share it with, at the level MANAGE
    """

    name: str
    text: str
    owner: str | None = None
    expires_at: datetime | None = None
    networks: Sequence[str] = ()
    groups: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ChangeKey:
    """What is to change of a key; what is absent stays as it is.

    expires_at    a new end; `never_expires` removes the one there is
    networks      where it is accepted from; none at all: from anywhere
    share_with    groups to share it with, at `share_level`, until `share_until`
    unshare_from  groups to share it with no longer
    share_levels  groups, each at its level; None: no longer shared
    version       what the actor saw: Changed where it is another one by now
    """

    name: str | None = None
    enabled: bool | None = None
    expires_at: datetime | None = None
    never_expires: bool = False
    networks: Sequence[str] | None = None
    share_with: Sequence[str] = ()
    share_level: ShareLevel = ShareLevel.MANAGE
    share_until: datetime | None = None
    unshare_from: Sequence[str] = ()
    share_levels: Mapping[str, ShareLevel | None] = field(default_factory=dict)
    version: Version | None = None


async def add_key(actor: Actor, wanted: AddKey) -> KeyInfo:
    """Store one public key line for its owner.

    InvalidInput names the field, `name`, `public_key` or `networks`; Conflict `name` or
    `public_key`. NotFound for an owner or group that the actor may not use.
    """
    name = names.check_title(wanted.name, "key")
    parsed = publickey.parse(wanted.text)
    networks = check_networks(wanted.networks)
    return await _create(actor, replace(wanted, name=name, networks=networks), parsed)


@transactional
async def _create(actor: Actor, wanted: AddKey, parsed: publickey.PublicKey) -> KeyInfo:
    user = await references.new_owner(actor, actor.name if wanted.owner is None else wanted.owner)
    same = await Key.get_or_none(owner_id=user.id, fingerprint=parsed.fingerprint)
    if same is not None:
        raise Conflict(
            "%(name)s has this key already: it is named %(same_name)s.",
            field="public_key",
            name=user.name,
            same_name=same.name,
        )
    if await Key.filter(owner_id=user.id, name=wanted.name).exists():
        raise Conflict(
            "%(owner)s has another key named %(name)s already.",
            field="name",
            owner=user.name,
            name=wanted.name,
        )
    key = await Key.create(
        name=wanted.name,
        owner_id=user.id,
        type=parsed.type,
        blob=parsed.blob,
        bits=parsed.bits,
        fingerprint=parsed.fingerprint,
        comment=parsed.comment,
        expires_at=wanted.expires_at,
        networks=wanted.networks,
        created_at=clock.now(),
    )
    await shares.share(actor, key, wanted.groups, ShareLevel.MANAGE)
    await audit.record(
        actor, "key.add", f"key {wanted.name} of {user.name}", fingerprint=parsed.fingerprint
    )
    return await infos.info(actor, key)


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
    return await infos.infos(actor, rows)


async def own_key_names(actor: Actor, *, limit: int) -> list[str]:
    """The names of the actor's own keys that are enabled, as many as `limit`."""
    mine = Key.filter(owner_id=actor.user_id, enabled=True)
    return [row["name"] for row in await mine.order_by("name").limit(limit).values("name")]


async def find_key(actor: Actor, reference: str) -> KeyInfo:
    """The key of this fingerprint, id, name or OWNER/NAME that the actor may see."""
    return await infos.info(actor, await get_key(actor, reference))


async def find_key_by_id(actor: Actor, key_id: int) -> KeyInfo:
    key = await Key.filter(await visible_keys(actor), id=key_id).first()
    if key is None:
        raise NotFound("There is no such key.")
    return await infos.info(actor, key)


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
    return references.the_one(
        rows,
        reference,
        several=N_("%(reference)r can be several keys: say OWNER/NAME, the id or the fingerprint."),
        none=N_("There is no key %(reference)r."),
    )


@transactional
async def change_key(actor: Actor, key_id: int, wanted: ChangeKey) -> KeyInfo:
    """Change what is given, for those who may manage the key; sessions that lose access end.

    InvalidInput names the field, `name` or `networks`; Conflict `name`. NotFound for a group that
    the actor may not use.
    """
    key = await _changeable(actor, key_id)
    await versions.require(key.id, wanted.version)
    before = await _audited(key)
    if wanted.name is not None:
        key.name = await _free_name(key, wanted.name)
    if wanted.enabled is not None:
        key.enabled = wanted.enabled
    if wanted.never_expires or wanted.expires_at is not None:
        key.expires_at = None if wanted.never_expires else wanted.expires_at
    if wanted.networks is not None:
        key.networks = check_networks(wanted.networks)
    await key.save()
    await shares.share(actor, key, wanted.share_with, wanted.share_level, wanted.share_until)
    await shares.unshare(actor, key, wanted.unshare_from)
    await shares.set_levels(actor, key, wanted.share_levels)
    await _tell_repositories(
        key, say("Key %(key)s was changed by %(user)s.", key=key.name, user=actor.name)
    )
    changed = audit.changes(before, await _audited(key))
    await audit.record(actor, "key.set", f"key {key.name}", fingerprint=key.fingerprint, **changed)
    events.rights_changed(f"key {key.name} was changed")
    return await infos.info(actor, key)


async def _audited(key: Key) -> dict[str, object]:
    values = audit.values_of(key, "name", "enabled", "expires_at", "networks")
    return {**values, "shared_with": await shares.levels_of(key)}


async def _free_name(key: Key, name: str) -> str:
    title = names.check_title(name, "key")
    if await Key.filter(owner_id=key.owner_id, name=title).exclude(id=key.id).exists():
        raise Conflict("There is another key named %(title)s already.", field="name", title=title)
    return title


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
