"""Paths that opened a repository before paths were held to a rule, and who still uses them.

Repositories of that time go on accepting them for opening, so that an upgrade locks nobody out.
Each use is recorded until the owner ends that with `strict_paths`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import F

from hive import clock
from hive.database import transactional
from hive.kinds import Level
from hive.models import FormerPath, Session
from hive.services import audit
from hive.services.permissions import Actor, repository_for

_LONGEST = 500
_MOST_KEPT = 100  # of one repository


@dataclass(frozen=True, kw_only=True)
class FormerPathInfo:
    """One machine that has to be changed: how it opens the repository, and when it last did."""

    path: str
    key_name: str
    key_fingerprint: str
    peer: str
    uses: int
    last_used_at: datetime


async def note(session: Session, path: str) -> None:
    """Record a use; call in a transaction."""
    path = path[:_LONGEST]
    now = clock.now()
    same = FormerPath.filter(
        repository_id=session.repository_id,
        path=path,
        key_fingerprint=session.key_fingerprint,
        peer=session.peer,
    )
    if await same.update(uses=F("uses") + 1, last_used_at=now, key_name=session.key_name):
        return
    await FormerPath.create(
        repository_id=session.repository_id,
        path=path,
        key_name=session.key_name,
        key_fingerprint=session.key_fingerprint,
        peer=session.peer,
        last_used_at=now,
    )
    kept = FormerPath.filter(repository_id=session.repository_id).order_by("-last_used_at", "-id")
    old = await kept.offset(_MOST_KEPT).limit(_MOST_KEPT).values_list("id", flat=True)
    await FormerPath.filter(id__in=list(old)).delete()


async def list_former_paths(actor: Actor, repository_id: int) -> list[FormerPathInfo]:
    """Return what still uses former paths of the repository, the last use first."""
    repository = await repository_for(actor, repository_id, Level.VIEW)
    if repository.strict_paths:
        return []
    rows = await FormerPath.filter(repository_id=repository_id).order_by("-last_used_at", "-id")
    return [
        FormerPathInfo(
            path=row.path,
            key_name=row.key_name,
            key_fingerprint=row.key_fingerprint,
            peer=row.peer,
            uses=row.uses,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


@transactional
async def set_strict(actor: Actor, repository_id: int, *, strict: bool = True) -> None:
    """Accept only the path in the repository's URL from now on, or former ones again."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    if repository.strict_paths == strict:
        return
    repository.strict_paths = strict
    await repository.save(update_fields=["strict_paths"])
    if strict:
        await FormerPath.filter(repository_id=repository_id).delete()
    await audit.record(
        actor,
        "repository.strict-paths",
        audit.name_of(repository),
        strict=strict,
    )
