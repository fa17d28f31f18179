"""Grants: which key opens which repository, and how far. One row a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, EventKind, Level
from hive.models import Grant, Key, Repository
from hive.sentences import say
from hive.services import audit, events
from hive.services.keys import keys
from hive.services.permissions import Actor, repository_for, visible_keys


@dataclass(frozen=True, kw_only=True)
class ChangeAccess:
    """Which keys are to open a repository; those that are not named stay as they are.

    accesses      keys by reference (id, name, OWNER/NAME, fingerprint), and what each may do
    key_accesses  keys by id, and what each may do; None: no longer opens it
    remove_keys   keys by reference that no longer open it
    """

    accesses: Mapping[str, Access] = field(default_factory=dict)
    key_accesses: Mapping[int, Access | None] = field(default_factory=dict)
    remove_keys: Sequence[str] = ()


@transactional
async def change_access(actor: Actor, repository_id: int, wanted: ChangeAccess) -> None:
    """Change which keys open a repository, for those who may manage it; sessions that lose it end.

    InvalidInput and Conflict name the field `key`: one key has one access. NotFound for a key that
    the actor may not use, or that is to be removed and does not open the repository.
    """
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    for reference in wanted.remove_keys:
        await _revoke(actor, repository, await _granted_key(actor, repository, reference))
    chosen: dict[int, Access] = {}
    for reference, access in wanted.accesses.items():
        key = await keys.get_key(actor, reference)  # whoever may see a key may use it
        if chosen.setdefault(key.id, access) != access:
            raise InvalidInput(
                "The key %(name)s is named twice, as %(wanted)s and as %(access)s: one key has one"
                " access to a repository.",
                field="key",
                name=key.name,
                wanted=chosen[key.id],
                access=access,
            )
        await _set(actor, repository, key, access)
    for key_id, its_access in wanted.key_accesses.items():
        await _set_by_id(actor, repository, key_id, its_access)


async def _set_by_id(
    actor: Actor, repository: Repository, key_id: int, access: Access | None
) -> None:
    if access is None:
        granted = Grant.get_or_none(repository_id=repository.id, key_id=key_id)
        row = await granted.select_related("key")
        if row is None:
            raise NotFound("This key has no access to this repository.")
        await _revoke(actor, repository, row.key)
        return
    key = await Key.filter(await visible_keys(actor), id=key_id).first()
    if key is None:
        raise NotFound("There is no such key.")
    await _set(actor, repository, key, access)


async def _revoke(actor: Actor, repository: Repository, key: Key) -> None:
    former = await Grant.get_or_none(repository_id=repository.id, key_id=key.id)
    await Grant.filter(repository_id=repository.id, key_id=key.id).delete()
    change = (former.access if former else None, None)
    await _tell(actor, repository, key, "no longer has access", change)


async def _set(actor: Actor, repository: Repository, key: Key, access: Access) -> None:
    await _one_access_per_key(repository, key)
    existing = await Grant.get_or_none(repository_id=repository.id, key_id=key.id)
    if existing is not None and existing.access == access:
        return
    former = existing.access if existing is not None else None
    if existing is None:
        await Grant.create(
            repository_id=repository.id, key_id=key.id, access=access, created_at=clock.now()
        )
    else:
        existing.access = access
        await existing.save()
    await _tell(
        actor, repository, key, say("has %(access)s access", access=access), (former, access)
    )


async def _granted_key(actor: Actor, repository: Repository, reference: str) -> Key:
    """A key that the repository grants: also one that the actor cannot see by itself."""
    rows = await Grant.filter(repository_id=repository.id).select_related("key")
    named = [
        row.key for row in rows if reference in (row.key.fingerprint, row.key.name, str(row.key.id))
    ]
    if len(named) > 1:
        raise InvalidInput(
            "%(reference)r can be several keys: say its fingerprint.", reference=reference
        )
    if named:
        return named[0]
    key = await keys.get_key(actor, reference)
    if not any(row.key.id == key.id for row in rows):
        raise NotFound(
            "The key %(name)s has no access to %(repository_name)s.",
            name=key.name,
            repository_name=repository.name,
        )
    return key


async def _one_access_per_key(repository: Repository, key: Key) -> None:
    """The same key material under two names must not be full and append-only at once."""
    twin = (
        await Grant.filter(repository_id=repository.id, key__fingerprint=key.fingerprint)
        .exclude(key_id=key.id)
        .select_related("key")
        .first()
    )
    if twin is not None:
        raise Conflict(
            "The same key opens %(name)s already as %(key_name)s (%(access)s): change that one.",
            field="key",
            name=repository.name,
            key_name=twin.key.name,
            access=twin.access,
        )


def accesses(
    full: Sequence[str] = (), append_only: Sequence[str] = (), read_only: Sequence[str] = ()
) -> dict[str, Access]:
    """References by access; InvalidInput where one key is named for two."""
    found: dict[str, Access] = {}
    for access, references in (
        (Access.FULL, full),
        (Access.APPEND_ONLY, append_only),
        (Access.READ_ONLY, read_only),
    ):
        for reference in references:
            if found.get(reference, access) != access:
                raise InvalidInput(
                    "The key %(reference)r is named as %(found)s and as %(access)s: one key has one"
                    " access to a repository.",
                    field="key",
                    reference=reference,
                    found=found[reference],
                    access=access,
                )
            found[reference] = access
    return found


async def _tell(
    actor: Actor,
    repository: Repository,
    key: Key,
    what: str,
    change: tuple[Access | None, Access | None],
) -> None:
    former, access = change
    await events.record(
        repository.id,
        EventKind.GRANT_CHANGED,
        say(
            "Key %(name)s %(what)s, set by %(actor_name)s.",
            name=key.name,
            what=what,
            actor_name=actor.name,
        ),
        fingerprint=key.fingerprint,
    )
    await audit.record(
        actor,
        "grant.set" if access else "grant.delete",
        audit.name_of(repository),
        key=key.name,
        fingerprint=key.fingerprint,
        **audit.changes({"access": former}, {"access": access}),
    )
    events.rights_changed(say("the access of key %(key)s was changed", key=key.name))
