"""Changing a repository in one call: whatever people change of it together, all or nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hive.database import transactional
from hive.kinds import Access, Mode, ShareLevel
from hive.services import versions
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants
from hive.services.keys.grants import ChangeAccess
from hive.services.lifecycle import imports
from hive.services.lifecycle.imports import Settled
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, former_paths, quotas, tags
from hive.services.repositories.infos import RepositoryInfo
from hive.services.repositories.quotas import QuotaUse
from hive.services.versions import Version


@dataclass(frozen=True, kw_only=True)
class ChangeRepository:
    """What is to change of a repository; what is absent stays as it is.

    name           what people read; login, path and URL stay
    owner          another user by name or id; for administrators
    quota_bytes    a new quota; `no_quota` removes the one there is
    share_with     groups to share it with, at `share_level`
    unshare_from   groups to share it with no longer
    share_levels   groups, each at its level; None: no longer shared
    accesses       keys by reference, and what each may do from now on
    remove_keys    keys by reference that open it no longer
    strict_paths   whether only the path in its URL opens it
    schedule       when backups are expected
    tags           the tags from now on, in place of all that it has
    add_tags       further tags; `remove_tags` takes some away
    confirm_empty  its content is gone, and clients may create it again
    mode           what it is open for. Sessions that no longer fit end, and a staged import is
                   settled; the same mode again settles what could not be settled before
    version        what the actor saw: Changed where it, or its schedule, is another one by now
    """

    name: str | None = None
    owner: str | None = None
    quota_bytes: int | None = None
    no_quota: bool = False
    share_with: Sequence[str] = ()
    share_level: ShareLevel = ShareLevel.MANAGE
    share_until: datetime | None = None
    unshare_from: Sequence[str] = ()
    share_levels: Mapping[str, ShareLevel | None] = field(default_factory=dict)
    accesses: Mapping[str, Access] = field(default_factory=dict)
    remove_keys: Sequence[str] = ()
    strict_paths: bool | None = None
    schedule: ScheduleChange = field(default_factory=ScheduleChange)
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    confirm_empty: bool = False
    mode: Mode | None = None
    version: Version | None = None

    @property
    def touches_row(self) -> bool:
        """Whether anything is given that `catalogue.set_repository` changes."""
        given = (self.name, self.owner, self.quota_bytes)
        shares = (self.share_with, self.unshare_from, self.share_levels)
        return self.no_quota or any(one is not None for one in given) or any(shares)


@dataclass(frozen=True, kw_only=True)
class ChangedRepository:
    """The repository as it is now.

    settled    how a staged import ended, where the mode brought that about
    quota_use  how much of its quota it uses, if one was set
    """

    repository: RepositoryInfo
    settled: Settled | None
    quota_use: QuotaUse | None


async def change(actor: Actor, repository_id: int, wanted: ChangeRepository) -> ChangedRepository:
    """Change what is given, all of it or nothing, for those who may manage the repository.

    InvalidInput and Conflict name the field: `name`, `quota`, `tag`, `key`, or one of the
    schedule's. NotFound for a user, key or group that the actor may not use, Forbidden for an
    owner that only an administrator may give. Conflict where `confirm_empty` finds content, or
    maintenance keeps the mode from changing; Changed where it is not as the actor saw it.
    """
    await catalogue.require_manage(actor, repository_id)
    if wanted.confirm_empty:
        await catalogue.require_emptied(actor, repository_id)
    store = functools.partial(_store, actor, repository_id, wanted)
    settled = None
    if wanted.mode is None:
        await store()
    else:
        settled = await imports.switch_mode(actor, repository_id, wanted.mode, along=store)
    use = None
    if wanted.quota_bytes is not None:
        use = await quotas.use_of_repository(repository_id)
    info = await catalogue.info_by_id(repository_id)
    return ChangedRepository(repository=info, settled=settled, quota_use=use)


@transactional
async def _store(actor: Actor, repository_id: int, wanted: ChangeRepository) -> None:
    """All but the mode."""
    await versions.require(repository_id, wanted.version)
    if wanted.confirm_empty:
        await catalogue.note_confirmed(actor, repository_id)
    if wanted.touches_row:
        await catalogue.set_repository(
            actor,
            repository_id,
            name=wanted.name,
            quota_bytes=wanted.quota_bytes,
            no_quota=wanted.no_quota,
            share_with=wanted.share_with,
            share_level=wanted.share_level,
            share_until=wanted.share_until,
            unshare_from=wanted.unshare_from,
            share_levels=wanted.share_levels,
            owner=wanted.owner,
        )
    access = ChangeAccess(accesses=wanted.accesses, remove_keys=wanted.remove_keys)
    await grants.change_access(actor, repository_id, access)
    if wanted.strict_paths is not None:
        await former_paths.set_strict(actor, repository_id, strict=wanted.strict_paths)
    if not wanted.schedule.is_nothing:
        await schedules.set_schedule(actor, repository_id, wanted.schedule)
    if wanted.tags is not None:
        await tags.replace_tags(actor, repository_id, wanted.tags)
    if wanted.add_tags or wanted.remove_tags:
        await tags.change_tags(actor, repository_id, add=wanted.add_tags, remove=wanted.remove_tags)
