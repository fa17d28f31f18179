"""Adding a machine: its key, its repository, what the key may do there, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from hive import publickey
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, Level, ShareLevel
from hive.models import Key
from hive.services import names, references
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants, keys
from hive.services.keys.grants import ChangeAccess
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import AddKey
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import creation
from hive.services.repositories.creation import CreateRepository
from hive.services.repositories.infos import RepositoryInfo


@dataclass(frozen=True, kw_only=True)
class AddMachine:
    """A machine to add; what is absent gets the default named here.

    name          of the repository, and of the key where it is a new one
    public_key    one line of a public key file. Where the owner has it already, that key is used
    key           a stored key instead: an id, a name, OWNER/NAME or a fingerprint
    access        what the key may do
    owner         a user by name or id; None: the actor. Only administrators name somebody else
    location      by name or id; None: the default location
    quota_bytes   None: no quota
    share_levels  groups to share the repository with, each at its level
    schedule      when backups are expected. Where it names no schedule: every day
    tags          words to find the repository by

    With neither `public_key` nor `key`, nothing opens the repository yet.
    """

    name: str
    public_key: str | None = None
    key: str | None = None
    access: Access = Access.APPEND_ONLY
    owner: str | None = None
    location: str | None = None
    quota_bytes: int | None = None
    share_levels: Mapping[str, ShareLevel] = field(default_factory=dict)
    schedule: ScheduleChange = field(default_factory=ScheduleChange)
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Machine:
    """What was added; `key` is None where none was given."""

    repository: RepositoryInfo
    key: KeyInfo | None


@transactional
async def add_machine(actor: Actor, wanted: AddMachine) -> Machine:
    """Store the key and create the repository that it opens, all of it or nothing.

    InvalidInput names the field: `public_key`, `key`, or one of those of
    `hive.services.repositories.creation.create`. Conflict and NotFound as there.
    """
    if wanted.public_key is not None and wanted.key is not None:
        raise InvalidInput("Paste a key or choose one, not both.", field="key")
    names.check_repository(wanted.name)
    key = await _key(actor, wanted)
    request = CreateRepository(
        name=wanted.name,
        owner=wanted.owner,
        location=wanted.location,
        quota_bytes=wanted.quota_bytes,
        key_accesses={} if key is None else {key.id: wanted.access},
        share_levels=wanted.share_levels,
        schedule=wanted.schedule,
        tags=wanted.tags,
    )
    repository = await creation.create(actor, request)
    return Machine(repository, None if key is None else await keys.find_key_by_id(actor, key.id))


@dataclass(frozen=True, kw_only=True)
class ConnectKey:
    """A key to open a repository that is there; `public_key` is one line of its file."""

    public_key: str
    access: Access = Access.APPEND_ONLY


@transactional
async def connect_key(actor: Actor, repository_id: int, wanted: ConnectKey) -> KeyInfo:
    """Store the key, unless it is there, and let it open the repository; raises as above.

    It becomes the actor's, or where an administrator does it, the repository owner's.
    """
    row = await repository_for(actor, repository_id, Level.MANAGE)
    owner = await references.user(row.owner_id) if actor.manages_all else None
    name = actor.name if owner is None else owner.name
    key = await _stored(actor, name, row.name, wanted.public_key)
    access = ChangeAccess(key_accesses={key.id: wanted.access})
    await grants.change_access(actor, repository_id, access)
    return await keys.find_key_by_id(actor, key.id)


async def _key(actor: Actor, wanted: AddMachine) -> KeyInfo | None:
    if wanted.key is not None:
        try:
            return await keys.find_key(actor, wanted.key)
        except (NotFound, InvalidInput) as error:
            raise InvalidInput(error.message, field="key") from None
    if wanted.public_key is None:
        return None
    owner = actor.name if wanted.owner is None else wanted.owner
    return await _stored(actor, owner, wanted.name, wanted.public_key)


async def _stored(actor: Actor, owner: str, name: str, public_key: str) -> KeyInfo:
    """The key of this line that the owner has, or a new one."""
    parsed = publickey.parse(public_key)
    person = await references.new_owner(actor, owner)
    known = await Key.get_or_none(owner_id=person.id, fingerprint=parsed.fingerprint)
    if known is None:
        free = await _free_name(person.id, name)
        return await keys.add_key(actor, AddKey(name=free, text=public_key, owner=person.name))
    if not known.enabled:
        raise Conflict(
            "This key is stored already, as %(name)s, and disabled: enable it first.",
            field="public_key",
            name=known.name,
        )
    return await keys.find_key_by_id(actor, known.id)


async def _free_name(owner_id: int, name: str) -> str:
    """The machine's name, or with a number where the owner has another key of that name."""
    taken = Key.filter(owner_id=owner_id, name__startswith=name)
    names_taken = {row["name"] for row in await taken.values("name")}
    numbered = (f"{name} {number}" for number in count(2))
    return name if name not in names_taken else next(n for n in numbered if n not in names_taken)
