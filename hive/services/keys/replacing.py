"""Replacing a key: the new one takes over all that the old one opens, in one step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import count

from hive import clock, publickey
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, EventKind, Level
from hive.models import Grant, Key, KeyShare
from hive.sentences import say
from hive.services import audit, events, names
from hive.services.keys import infos
from hive.services.keys.infos import KeyInfo
from hive.services.permissions import Actor, require

_WIDER = (Access.READ_ONLY, Access.APPEND_ONLY, Access.FULL)
_MAX_NAME = 150


@dataclass(frozen=True, kw_only=True)
class ReplaceKey:
    """What replaces a key.

    public_key  one line of a public key file: a new one, or one that the owner has stored
    expires_at  of a new one; None: never
    delete_old  delete the old key; else it stays, disabled and named after its replacement
    keep_until  the old key opens the same until then: time to put the new one on all machines
    """

    public_key: str
    expires_at: datetime | None = None
    delete_old: bool = False
    keep_until: datetime | None = None


@dataclass(frozen=True)
class Replacement:
    """The key that is used from now on; `taken_over` counts the repositories that it opens."""

    key: KeyInfo
    taken_over: int


def may_replace(actor: Actor, info: KeyInfo) -> bool:
    """Whether the actor may replace the key: its owner, and administrators."""
    return actor.is_admin or (actor.may_change and info.owner == actor.name)


@transactional
async def replace_key(actor: Actor, key_id: int, wanted: ReplaceKey) -> Replacement:
    """Let another key open all that this one opens, and this one nothing any more.

    With `keep_until`, this one opens it as well until then. Only the owner and administrators may:
    a new key is let in where the actor need not see it. The new key gets the name, networks and
    shares of the old one, whose sessions end. InvalidInput and Conflict name the field
    `public_key`, or `keep_until`.
    """
    old = await Key.get_or_none(id=key_id).select_related("owner")
    if old is None:
        raise NotFound("There is no such key.")
    await require(actor, old, Level.OWN)
    parsed = publickey.parse(wanted.public_key)
    if parsed.fingerprint == old.fingerprint:
        raise InvalidInput("This is the key that is to be replaced.", field="public_key")
    _check_keep(wanted)
    name = old.name
    old.name = await _former_name(old)
    if wanted.keep_until is None:
        old.enabled = False
    else:
        old.expires_at = min(old.expires_at or wanted.keep_until, wanted.keep_until)
    await old.save()
    new = await _new_key(old, parsed, name, wanted.expires_at)
    taken_over = await _hand_over(actor, old, new, name, is_kept=wanted.keep_until is not None)
    await audit.record(
        actor,
        "key.replace",
        f"key {name} of {old.owner.name}",
        fingerprint=new.fingerprint,
        former=old.fingerprint,
        repositories=taken_over,
        former_until=clock.rfc3339(wanted.keep_until) if wanted.keep_until else None,
    )
    if wanted.delete_old:
        await old.delete()
    events.rights_changed(say("the key %(key)s was replaced", key=name))
    return Replacement(await infos.info(actor, new), taken_over)


def _check_keep(wanted: ReplaceKey) -> None:
    if wanted.keep_until is None:
        return
    if wanted.delete_old:
        raise InvalidInput("A key that is deleted opens nothing any more.", field="keep_until")
    if wanted.keep_until <= clock.now():
        raise InvalidInput("This time is over: give one in the future.", field="keep_until")


async def _former_name(old: Key) -> str:
    """What the old key is called from now on: nobody else of its owner is called like that."""
    taken = {row["name"] for row in await Key.filter(owner_id=old.owner_id).values("name")}
    day = clock.now().date().isoformat()
    base = f"{old.name[: _MAX_NAME - 30]} (replaced {day})"
    numbered = (f"{base} {number}" for number in count(2))
    name = base if base not in taken else next(one for one in numbered if one not in taken)
    return names.check_title(name, "key")


async def _new_key(
    old: Key, parsed: publickey.PublicKey, name: str, expires_at: datetime | None
) -> Key:
    known = await Key.get_or_none(owner_id=old.owner_id, fingerprint=parsed.fingerprint)
    if known is not None:
        if not known.enabled:
            raise Conflict(
                "This key is stored already, as %(name)s, and disabled: enable it first.",
                field="public_key",
                name=known.name,
            )
        return known
    return await Key.create(
        name=name,
        owner_id=old.owner_id,
        type=parsed.type,
        blob=parsed.blob,
        bits=parsed.bits,
        fingerprint=parsed.fingerprint,
        comment=parsed.comment,
        expires_at=expires_at,
        networks=old.networks,
        created_at=clock.now(),
    )


async def _hand_over(actor: Actor, old: Key, new: Key, name: str, *, is_kept: bool) -> int:
    await _no_twin(old, new)
    for share in await KeyShare.filter(key_id=old.id):
        if await KeyShare.filter(key_id=new.id, group_id=share.group_id).exists():
            await share.delete()
        else:
            share.key_id = new.id
            await share.save(update_fields=["key_id"])
    has = {row.repository_id: row for row in await Grant.filter(key_id=new.id)}
    grants = await Grant.filter(key_id=old.id)
    for grant in grants:
        other = has.get(grant.repository_id)
        if other is None and is_kept:
            await Grant.create(
                repository_id=grant.repository_id,
                key_id=new.id,
                access=grant.access,
                created_at=clock.now(),
            )
        elif other is None:
            grant.key_id, grant.created_at = new.id, clock.now()
            await grant.save(update_fields=["key_id", "created_at"])
        else:
            other.access = max(other.access, grant.access, key=_WIDER.index)
            await other.save(update_fields=["access"])
            if not is_kept:
                await grant.delete()
        message = say(
            "Key %(name)s was replaced by %(user)s: %(fingerprint)s opens this repository now.",
            name=name,
            user=actor.name,
            fingerprint=new.fingerprint,
        )
        await events.record(
            grant.repository_id, EventKind.KEY_CHANGED, message, fingerprint=new.fingerprint
        )
    return len(grants)


async def _no_twin(old: Key, new: Key) -> None:
    """One key, also one that several people have stored, opens a repository once."""
    rows = await Grant.filter(key_id=old.id).values("repository_id")
    opened = [row["repository_id"] for row in rows]
    twin = (
        await Grant.filter(repository_id__in=opened, key__fingerprint=new.fingerprint)
        .exclude(key_id=new.id)
        .first()
    )
    if twin is not None:
        raise Conflict(
            "Somebody else has stored this key too, and it opens one of these repositories already:"
            " use another one.",
            field="public_key",
        )
