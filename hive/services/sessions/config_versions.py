"""The versions of a repository's config that are kept, so that one can be restored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.borg.upkeep import without_note
from hive.kinds import (
    Access,
    Level,
)
from hive.models import ConfigVersion, Repository, Session
from hive.services import runtime
from hive.services.alarms import content_alarms
from hive.services.permissions import Actor, repository_for

MAX_CONFIG = 64 * 1024  # bytes; borg's own is below 2 KiB


async def keep_config(
    repository: Repository,
    content: bytes,
    session_id: int | None,
    *,
    by_hive: bool = True,
    is_back: bool = False,
) -> None:
    """Keep a copy of the config where it changed: it holds the key, and clients can change it.

    `is_back`: there was no content before. The same config as ever means that it has come back.

    The first version is never dropped, nor the newest one that a session with full access or the
    server itself wrote: no number of other versions can push the true key out.
    """
    if len(content) > MAX_CONFIG:
        return
    # How far a check has come is noted there as well; that is no other config.
    digest = hashlib.sha256(without_note(content)).hexdigest()
    session = None if session_id is None else await Session.get_or_none(id=session_id)
    access = None if session is None else session.access
    newest = await ConfigVersion.filter(repository_id=repository.id).order_by("-id").first()
    if newest is not None and newest.sha256 == digest:
        if is_back:
            await Repository.filter(id=repository.id).update(emptied_at=None)
        return
    await ConfigVersion.create(
        repository_id=repository.id,
        sha256=digest,
        content=content,
        session_id=session_id,
        created_at=clock.now(),
        access=access,
    )
    if newest is not None:
        is_suspicious = not by_hive and not is_back and access != Access.FULL
        await content_alarms.note_config(repository.id, session, is_suspicious=is_suspicious)
    await _drop_old_configs(repository.id)


async def _drop_old_configs(repository_id: int) -> None:
    keep = runtime.settings().storage.config_versions
    rows = (
        await ConfigVersion.filter(repository_id=repository_id).order_by("-id").only("id", "access")
    )
    trusted = [row.id for row in rows if row.access in (None, Access.FULL)]
    kept = {row.id for row in rows[:keep]} | {row.id for row in rows[-1:]} | set(trusted[:1])
    dropped = [row.id for row in rows if row.id not in kept]
    await ConfigVersion.filter(id__in=dropped).delete()


@dataclass(frozen=True, kw_only=True)
class ConfigVersionInfo:
    id: int
    sha256: str
    content: bytes
    session_id: int | None
    created_at: datetime


async def list_versions(actor: Actor, repository_id: int) -> list[ConfigVersionInfo]:
    """The kept versions of a repository's config, newest first; for who may change it."""
    await repository_for(actor, repository_id, Level.MANAGE)
    rows = await ConfigVersion.filter(repository_id=repository_id).order_by("-id")
    return [
        ConfigVersionInfo(
            id=r.id,
            sha256=r.sha256,
            content=bytes(r.content),
            session_id=r.session_id,
            created_at=r.created_at,
        )
        for r in rows
    ]
