"""What the config of a repository limits: left by a former server, or brought by an import.

borg's own quota there decides nothing: sessions are held to the quotas of the hive. But borg
obeys the other two, for every key, and the server's own borg obeys all of them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from hive.background import unbroken
from hive.borg.exclusive_lock import LockedError, exclusive_lock
from hive.borg.locks import Holder
from hive.borg.repository import read_config
from hive.database import transactional
from hive.errors import Conflict
from hive.kinds import EventKind, Level
from hive.models import Repository
from hive.sentences import Size, join, say
from hive.services import audit, events, runtime
from hive.services.installation import presence
from hive.services.lifecycle import config_restore
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.sessions import config_versions
from hive.services.storage import paths, places

_LIMIT = re.compile(
    rb"^(storage_quota|append_only|additional_free_space)[ \t]*[=:].*$", re.MULTILINE
)
_NONE = 2**62  # what borg calls a quota from here on is none


@dataclass(frozen=True)
class ConfigLimits:
    append_only: bool = False
    quota_bytes: int | None = None
    reserve_bytes: int | None = None

    @property
    def in_words(self) -> list[str]:
        found = ["append_only"] if self.append_only else []
        if self.quota_bytes is not None:
            found.append(say("storage_quota %(size)s", size=Size(self.quota_bytes)))
        if self.reserve_bytes is not None:
            found.append(
                say(
                    "additional_free_space %(size)s",
                    size=Size(self.reserve_bytes),
                )
            )
        return found

    @property
    def hint(self) -> str:
        """A sentence for the end of others; empty where nothing is limited."""
        if not self.in_words:
            return ""
        return say(
            " Its config sets %(limits)s: `hive repo clear-config-limits` or the "
            "repository's page clears that.",
            limits=join(*self.in_words, by=", "),
        )


def read(path: Path) -> ConfigLimits:
    """What the config of the repository at `path` limits. Blocking."""
    config = None if presence.is_away(path) else read_config(path)
    if config is None:
        return ConfigLimits()
    quota = config.quota_bytes
    is_quota = quota is not None and quota < _NONE
    return ConfigLimits(config.append_only, quota if is_quota else None, config.reserve_bytes)


async def clear(actor: Actor, repository_id: int) -> ConfigLimits:
    """Set all limits in the config to none, and return what they were; the config is kept.

    Conflict while a session runs or somebody else holds borg's lock.
    """
    return await unbroken(_clear(actor, repository_id), name="clear config limits")


async def _clear(actor: Actor, repository_id: int) -> ConfigLimits:
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    await places.require(repository.location)
    where = repository_infos.place_of(repository)
    await maintenance.interrupt_upkeep(repository_id)
    await maintenance.begin(repository_id, maintenance.CLEARING_LIMITS)
    try:
        former = await asyncio.to_thread(config_restore.read, where.repository / "config")
        found = await asyncio.to_thread(read, where.repository)
        if former is None or not found.in_words:
            return ConfigLimits()
        await config_restore.keep(repository_id, former)
        content = _LIMIT.sub(rb"\1 = 0", former)
        await asyncio.to_thread(_write, where, content)
        await _note(actor, repository, found, content)
    finally:
        await maintenance.end(repository_id)
    return found


def _write(where: paths.Place, content: bytes) -> None:
    def is_gone(_: Holder) -> bool:
        return False

    try:
        with exclusive_lock(where.repository, runtime.host_id(), is_gone):
            config_restore.write(where, content)
    except LockedError:
        raise Conflict("The repository is locked. Try again later.") from None


@transactional
async def _note(actor: Actor, repository: Repository, former: ConfigLimits, content: bytes) -> None:
    await config_versions.keep_config(repository, content, None)
    await events.record(
        repository.id,
        EventKind.CONFIG_CHANGED,
        say(
            "Limits in the config cleared by %(name)s: %(in_words)s.",
            name=actor.name,
            in_words=", ".join(former.in_words),
        ),
    )
    await audit.record(
        actor,
        "repository.clear-config-limits",
        audit.name_of(repository),
        former=former.in_words,
    )
