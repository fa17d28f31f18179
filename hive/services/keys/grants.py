"""Grants: which key opens which repository, and how far. One row a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, EventKind, Level
from hive.models import Grant, Key, Repository
from hive.sentences import say
from hive.services import audit, events
from hive.services.keys import keys
from hive.services.permissions import Actor, repository_for, visible_keys


@transactional
async def grant(actor: Actor, repository_id: int, accesses: Mapping[str, Access]) -> None:
    """Give keys (by reference) access to a repository, or another access than before."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    wanted: dict[int, Access] = {}
    for reference, access in accesses.items():
        key = await keys.get_key(actor, reference)  # whoever may see a key may use it
        if wanted.setdefault(key.id, access) != access:
            raise InvalidInput(
                "The key %(name)s is named twice, as %(wanted)s and as %(access)s: one key has one"
                " access to a repository.",
                field="key",
                name=key.name,
                wanted=wanted[key.id],
                access=access,
            )
        await _set(actor, repository, key, access)


@transactional
async def grant_key(actor: Actor, repository_id: int, key_id: int, access: Access) -> None:
    """Give one key, by its id, access to a repository, or another access than before."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    key = await Key.filter(await visible_keys(actor), id=key_id).first()
    if key is None:
        raise NotFound("There is no such key.")
    await _set(actor, repository, key, access)


async def set_access(actor: Actor, repository_id: int, key_id: int, access: Access | None) -> None:
    """Let one key, by its id, open a repository as far as `access` says; None: no longer."""
    if access is None:
        await revoke_key(actor, repository_id, key_id)
    else:
        await grant_key(actor, repository_id, key_id, access)


@transactional
async def revoke_key(actor: Actor, repository_id: int, key_id: int) -> None:
    """Take one key, by its id, off a repository; its sessions there end."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    row = await Grant.get_or_none(repository_id=repository.id, key_id=key_id).select_related("key")
    if row is None:
        raise NotFound("This key has no access to this repository.")
    await row.delete()
    await _tell(actor, repository, row.key, "no longer has access", None)


async def _set(actor: Actor, repository: Repository, key: Key, access: Access) -> None:
    await _one_access_per_key(repository, key)
    existing = await Grant.get_or_none(repository_id=repository.id, key_id=key.id)
    if existing is not None and existing.access == access:
        return
    if existing is None:
        await Grant.create(
            repository_id=repository.id, key_id=key.id, access=access, created_at=clock.now()
        )
    else:
        existing.access = access
        await existing.save()
    await _tell(actor, repository, key, f"has {access} access", access)


@transactional
async def revoke(actor: Actor, repository_id: int, references: Sequence[str]) -> None:
    """Take keys (by reference) off a repository; their sessions there end."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    for reference in references:
        key = await _granted_key(actor, repository, reference)
        await Grant.filter(repository_id=repository.id, key_id=key.id).delete()
        await _tell(actor, repository, key, "no longer has access", None)


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
    actor: Actor, repository: Repository, key: Key, what: str, access: Access | None
) -> None:
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
        f"repository {repository.name} ({repository.login})",
        key=key.name,
        fingerprint=key.fingerprint,
        access=access,
    )
    events.rights_changed(f"the access of key {key.name} was changed")
