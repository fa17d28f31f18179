"""Keys that knocked at a login and had no access: kept, so that they can be let in with a click.

Whoever knows a login can knock with any public key, without having the private one: what is kept
is a suggestion, never a proof, and who adds a key compares its fingerprint first.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Subquery

from hive import clock, publickey
from hive.database import transactional
from hive.errors import InvalidInput, NotFound
from hive.kinds import Access, Level
from hive.models import Key, RefusedKey, Repository
from hive.services import audit
from hive.services.keys import grants, keys
from hive.services.keys.grants import ChangeAccess
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import AddKey
from hive.services.permissions import (
    Actor,
    level_on,
    manageable_repositories,
    require,
    visible_keys,
)

MAX_PER_REPOSITORY = 20
_LENGTH = 4  # bytes before the type in a key's data


@dataclass(frozen=True, kw_only=True)
class RefusedKeyInfo:
    id: int
    repository_id: int
    repository: str
    login: str
    owner: str  # of the repository
    type: str
    bits: int
    fingerprint: str
    peer: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int
    known_as: str | None  # the actor's name for it, where it is stored already


@dataclass(frozen=True, kw_only=True)
class LetIn:
    """How a refused key is let in; `name` is for a key that the actor does not have yet."""

    name: str
    access: Access


@transactional
async def note(repository_id: int, data: bytes, peer: str) -> None:
    """Keep a key that was refused; the oldest goes where there are too many."""
    parsed = _parse(data)
    if parsed is None:
        return  # it could not be added
    now = clock.now()
    kept = RefusedKey.filter(repository_id=repository_id)
    row = await kept.filter(fingerprint=parsed.fingerprint).first()
    if row is not None:
        row.peer, row.last_seen_at, row.count = peer[:64], now, row.count + 1
        await row.save()
        return
    await RefusedKey.create(
        repository_id=repository_id,
        type=parsed.type,
        blob=parsed.blob,
        fingerprint=parsed.fingerprint,
        peer=peer[:64],
        first_seen_at=now,
        last_seen_at=now,
    )
    too_many = await kept.order_by("-last_seen_at", "-id").offset(MAX_PER_REPOSITORY)
    await RefusedKey.filter(id__in=[old.id for old in too_many]).delete()


def _parse(data: bytes) -> publickey.PublicKey | None:
    kind = data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "big")]
    try:
        return publickey.parse(f"{kind.decode('ascii')} {base64.b64encode(data).decode()}")
    except (InvalidInput, UnicodeDecodeError):
        return None


async def list_refused(actor: Actor, *, repository_id: int | None = None) -> list[RefusedKeyInfo]:
    """Those on repositories, or on one, that the actor may change, the last one first."""
    mine = Repository.filter(await manageable_repositories(actor), deleted_at=None)
    if repository_id is not None:
        mine = mine.filter(id=repository_id)
    rows = (
        await RefusedKey.filter(repository_id__in=Subquery(mine.values("id")))
        .order_by("-last_seen_at", "-id")
        .select_related("repository__owner")
    )
    prints = [row.fingerprint for row in rows]
    known = await Key.filter(await visible_keys(actor), fingerprint__in=prints)
    names = {key.fingerprint: key.name for key in known}
    return [_info(row, names.get(row.fingerprint)) for row in rows]


async def find_refused(actor: Actor, refused_id: int) -> RefusedKeyInfo:
    row = await _get(actor, refused_id)
    mine = await Key.filter(await visible_keys(actor), fingerprint=row.fingerprint).first()
    return _info(row, mine.name if mine else None)


async def _get(actor: Actor, refused_id: int) -> RefusedKey:
    row = await RefusedKey.get_or_none(id=refused_id).select_related("repository__owner")
    if row is None or row.repository.deleted_at is not None:
        raise NotFound("There is no such key.")
    if await level_on(actor, row.repository) < Level.MANAGE:
        raise NotFound("There is no such key.")
    return row


@transactional
async def let_in(actor: Actor, refused_id: int, wanted: LetIn) -> KeyInfo:
    """Store the key, unless the actor has it already, and give it access to that repository.

    It becomes the actor's, or where an administrator does it, the repository owner's.
    """
    row = await _get(actor, refused_id)
    owner = row.repository.owner.name if actor.manages_all else actor.name
    known = Key.filter(await visible_keys(actor), fingerprint=row.fingerprint)
    key = await known.filter(owner__name=owner).first() or await known.first()
    if key is None:
        line = f"{row.type} {row.blob}"
        added = await keys.add_key(actor, AddKey(name=wanted.name, text=line, owner=owner))
        key_id = added.id
    else:
        key_id = key.id
    access = ChangeAccess(key_accesses={key_id: wanted.access})
    await grants.change_access(actor, row.repository_id, access)
    await row.delete()
    return await keys.find_key_by_id(actor, key_id)


@transactional
async def dismiss(actor: Actor, refused_id: int) -> None:
    """Forget the key; it is kept again when it knocks again."""
    row = await _get(actor, refused_id)
    await require(actor, row.repository, Level.MANAGE)
    await row.delete()
    await audit.record(
        actor,
        "refused-key.dismiss",
        audit.name_of(row.repository),
        fingerprint=row.fingerprint,
    )


def _info(row: RefusedKey, known_as: str | None) -> RefusedKeyInfo:
    return RefusedKeyInfo(
        id=row.id,
        repository_id=row.repository_id,
        repository=row.repository.name,
        login=row.repository.login,
        owner=row.repository.owner.name,
        type=row.type,
        bits=publickey.parse(f"{row.type} {row.blob}").bits,
        fingerprint=row.fingerprint,
        peer=row.peer,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        count=row.count,
        known_as=known_as,
    )
