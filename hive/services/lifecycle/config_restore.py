"""Putting a kept version of a repository's config back in place.

borg keeps the key of repokey encryption there: a config that is lost or overwritten makes every
archive unreadable, and any client that writes to the repository can overwrite it.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from hive import files
from hive.background import unbroken
from hive.database import transactional
from hive.errors import Conflict, NotFound, StorageError
from hive.kinds import EventKind, Level
from hive.models import ConfigVersion, Repository
from hive.sentences import say
from hive.services import audit, events
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.sessions import config_versions
from hive.services.sessions.config_versions import ConfigVersionInfo
from hive.services.storage import paths, places

_NEW_FILE = ".config-new"


async def restore_config(actor: Actor, repository_id: int, version: int) -> ConfigVersionInfo:
    """Write a kept version over the config; what is there now is kept as a version as well.

    Conflict while a session runs; sessions are refused meanwhile.
    """
    return await unbroken(_restore(actor, repository_id, version), name="restore config")


async def _restore(actor: Actor, repository_id: int, version: int) -> ConfigVersionInfo:
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    row = await ConfigVersion.get_or_none(id=version, repository_id=repository_id)
    if row is None:
        raise NotFound(
            "There is no version %(version)s of the config of %(name)s.",
            version=version,
            name=repository.name,
        )
    await places.require(repository.location)
    where = repository_infos.place_of(repository)
    content = bytes(row.content)
    await maintenance.interrupt_upkeep(repository_id)
    await maintenance.begin(repository_id, maintenance.RESTORING_CONFIG)
    try:
        former = await asyncio.to_thread(read, where.repository / "config")
        await keep(repository_id, former)
        await asyncio.to_thread(write, where, content)
        await _note(actor, repository_id, version, content)
    finally:
        await maintenance.end(repository_id)
    return ConfigVersionInfo(
        id=row.id,
        sha256=row.sha256,
        content=content,
        session_id=row.session_id,
        created_at=row.created_at,
    )


@transactional
async def keep(repository_id: int, content: bytes | None) -> None:
    if content is not None:
        await config_versions.keep_config(await Repository.get(id=repository_id), content, None)


@transactional
async def _note(actor: Actor, repository_id: int, version: int, content: bytes) -> None:
    repository = await Repository.get(id=repository_id)
    await config_versions.keep_config(repository, content, None)
    await events.record(
        repository_id,
        EventKind.CONFIG_CHANGED,
        say(
            "Version %(version)s of the config was put back by %(name)s.",
            version=version,
            name=actor.name,
        ),
    )
    await audit.record(
        actor,
        "repository.restore-config",
        audit.name_of(repository),
        version=version,
    )


def read(path: Path) -> bytes | None:
    """The config as it is; None where there is none. Links are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            "%(path)s cannot be read: %(strerror)s.", path=path, strerror=error.strerror
        ) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise Conflict("This is a repository of borg 2: it has no single config file.")
        if not stat.S_ISREG(status.st_mode) or status.st_size > config_versions.MAX_CONFIG:
            raise StorageError("%(path)s is not a borg config: look at it first.", path=path)
        return os.read(descriptor, config_versions.MAX_CONFIG)
    finally:
        os.close(descriptor)


def write(where: paths.Place, content: bytes) -> None:
    """Replace the config in one step, with the owner of the repository's files.

    The new file is made beside the repository, and no session runs meanwhile.
    """
    paths.require_below(where.root, where.repository)
    path = where.repository / "config"
    try:
        owner = where.repository.stat()
        with files.replacing(path, through=where.home / _NEW_FILE) as file:
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)
    except OSError as error:
        raise StorageError(
            "The config in %(repository)s cannot be written: %(strerror)s.",
            repository=where.repository,
            strerror=error.strerror,
        ) from error
