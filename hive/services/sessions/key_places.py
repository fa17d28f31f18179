"""Where a key is used: on which repositories, when last and from where; and where it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tortoise.functions import Max

from hive.models import Grant, Key, RefusedKey, Repository, Session
from hive.services.permissions import Actor, visible_repository_ids


@dataclass(frozen=True, kw_only=True)
class KeyPlace:
    """A repository that the key opens, or where it asked in vain.

    used_at     the begin of its last session, from `used_from`
    refused_at  when it was last refused there because it does not open it, from `refused_from`
    refusals    how often that was
    """

    repository_id: int
    repository: str
    used_at: datetime | None = None
    used_from: str = ""
    refused_at: datetime | None = None
    refused_from: str = ""
    refusals: int = 0


async def places_of_key(actor: Actor, key_id: int) -> dict[int, KeyPlace]:
    """By the ids of the repositories that the actor may see; the key itself is theirs to see."""
    key = await Key.get(id=key_id)
    grants = await Grant.filter(key_id=key_id).values("repository_id")
    opened = {row["repository_id"] for row in grants}
    refused = await RefusedKey.filter(fingerprint=key.fingerprint)
    refusals = {row.repository_id: row for row in refused}
    ids = opened | set(refusals)
    if not actor.sees_all:
        ids &= set(await visible_repository_ids(actor))
    sessions = await _last_sessions(list(opened & ids), key.fingerprint)
    rows = await Repository.filter(id__in=list(ids), deleted_at=None).order_by("name")
    return {row.id: _place(row, sessions.get(row.id), refusals.get(row.id)) for row in rows}


async def _last_sessions(repository_ids: list[int], fingerprint: str) -> dict[int, Session]:
    there = Session.filter(repository_id__in=repository_ids, key_fingerprint=fingerprint)
    last = there.annotate(newest=Max("id")).group_by("repository_id")
    newest = [row["newest"] for row in await last.values("repository_id", "newest")]
    return {row.repository_id: row for row in await Session.filter(id__in=newest)}


def _place(row: Repository, session: Session | None, refused: RefusedKey | None) -> KeyPlace:
    return KeyPlace(
        repository_id=row.id,
        repository=row.name,
        used_at=None if session is None else session.started_at,
        used_from="" if session is None else session.peer,
        refused_at=None if refused is None else refused.last_seen_at,
        refused_from="" if refused is None else refused.peer,
        refusals=0 if refused is None else refused.count,
    )
