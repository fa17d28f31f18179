"""Creating a repository with all that belongs to it, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hive.database import transactional
from hive.kinds import Access, Mode, ShareLevel
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants
from hive.services.keys.grants import ChangeAccess
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, tags
from hive.services.repositories.infos import RepositoryInfo


@dataclass(frozen=True, kw_only=True)
class CreateRepository:
    """A repository to create; what is absent gets the default named here.

    name          unique among the owner's repositories; also the directory's name
    owner         a user by name or id; None: the actor. Only administrators name somebody else
    location      by name or id; None: the default location
    mode          BORG, or IMPORT or EXPORT with rsync
    quota_bytes   None: no quota
    accesses      keys by reference (id, name, OWNER/NAME, fingerprint), and what each may do
    key_accesses  the same, keys by id
    groups        groups to share it with, at the level MANAGE
    share_levels  groups to share it with, each at its level
    schedule      when backups are expected. Where it names no schedule: every day in mode BORG,
                  never in the others
    tags          words to find it by
    """

    name: str
    owner: str | None = None
    location: str | None = None
    mode: Mode = Mode.BORG
    quota_bytes: int | None = None
    accesses: Mapping[str, Access] = field(default_factory=dict)
    key_accesses: Mapping[int, Access] = field(default_factory=dict)
    groups: Sequence[str] = ()
    share_levels: Mapping[str, ShareLevel] = field(default_factory=dict)
    schedule: ScheduleChange = field(default_factory=ScheduleChange)
    tags: Sequence[str] = ()


@transactional
async def create(actor: Actor, wanted: CreateRepository) -> RepositoryInfo:
    """Create the repository's row and login, all of it or nothing; borg init or an import fills it.

    InvalidInput names the field: `name`, `quota`, `tag`, `key`, or one of the schedule's. Conflict
    with the field `name` or `key` where it is taken. NotFound for an owner, location, key or group
    that the actor may not use.
    """
    info = await catalogue.add_repository(
        actor,
        wanted.name,
        owner=actor.name if wanted.owner is None else wanted.owner,
        location=wanted.location,
        mode=wanted.mode,
        quota_bytes=wanted.quota_bytes,
        accesses=wanted.accesses,
        groups=wanted.groups,
        share_levels=wanted.share_levels,
    )
    schedule = schedules.with_default(wanted.schedule, wanted.mode)
    if not schedule.is_nothing:
        await schedules.set_schedule(actor, info.id, schedule)
    if wanted.tags:
        await tags.change_tags(actor, info.id, add=wanted.tags)
    if wanted.key_accesses:
        access = ChangeAccess(key_accesses=wanted.key_accesses)
        await grants.change_access(actor, info.id, access)
    return await catalogue.info_by_id(info.id)
