"""Changing several repositories with one call: each is changed as a whole, or left and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial

from hive.database import rehearse, transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import ShareLevel
from hive.services.health import infos as health_infos
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.notifications import by_repository
from hive.services.permissions import SYSTEM, Actor
from hive.services.repositories import catalogue

MAX_REPOSITORIES = 500
_REFUSED = (InvalidInput, Conflict, NotFound, Forbidden)


@dataclass(frozen=True, kw_only=True)
class ChangeMany:
    """What is to change of each of these repositories; what is absent stays as it is.

    repository_ids  up to MAX_REPOSITORIES
    schedule        when backups are expected
    add_tags        further tags; `remove_tags` takes some away
    pause_until     no backup is expected until then; `resume` ends a pause
    owner           another user by name; for administrators
    quota_bytes     a new quota; `no_quota` removes the one there is
    share_levels    groups, each at its level; None: no longer shared
    channel_id      a channel that sends what happens to it, to the actor
    """

    repository_ids: Sequence[int]
    schedule: ScheduleChange = field(default_factory=ScheduleChange)
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    pause_until: datetime | None = None
    resume: bool = False
    owner: str | None = None
    quota_bytes: int | None = None
    no_quota: bool = False
    share_levels: Mapping[str, ShareLevel | None] = field(default_factory=dict)
    channel_id: int | None = None

    @property
    def of_each(self) -> ChangeRepository:
        """What one repository is changed by, pause and channel aside."""
        return ChangeRepository(
            schedule=self.schedule,
            add_tags=tuple(self.add_tags),
            remove_tags=tuple(self.remove_tags),
            owner=self.owner,
            quota_bytes=self.quota_bytes,
            no_quota=self.no_quota,
            share_levels=dict(self.share_levels),
        )

    @property
    def is_nothing(self) -> bool:
        aside = self.pause_until is not None or self.resume or self.channel_id is not None
        return self.of_each == ChangeRepository() and not aside


@dataclass(frozen=True)
class Refusal:
    """A repository that stays as it is, and why; without a name where the actor sees none."""

    repository_id: int
    name: str
    reason: str


@dataclass(frozen=True)
class ChangedMany:
    changed: int
    refusals: Sequence[Refusal]


class Part(StrEnum):
    """What of a repository is changed in a preview."""

    OWNER = "owner"
    QUOTA = "quota"
    SCHEDULE = "schedule"
    TAGS = "tags"
    PAUSE = "paused until"
    SHARES = "shared with"
    CHANNELS = "channels"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`former` and `new`: a text, a size, a time, names, or None for nothing."""

    part: Part
    former: object
    new: object


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would become of one repository: differences, none where it is so already; or a refusal.

    name  empty where the actor sees none
    """

    repository_id: int
    name: str
    differences: Sequence[Difference] = ()
    refusal: str | None = None


async def change_many(actor: Actor, wanted: ChangeMany) -> ChangedMany:
    """Change what is given of every repository that the actor may manage.

    What is refused for one repository is told with its name and keeps nothing else from being
    done. InvalidInput where the values themselves are wrong, so that nothing is changed at all.
    """
    changed, refusals, wrong = 0, [], None
    for repository_id in _ids(wanted):
        try:
            await _change_one(actor, repository_id, wanted)
            changed += 1
        except _REFUSED as error:
            wrong = error if isinstance(error, InvalidInput) else wrong
            name = await _name(actor, repository_id)
            refusals.append(Refusal(repository_id, name, error.message))
    if wrong is not None and not changed:
        raise wrong
    return ChangedMany(changed, refusals)


async def preview_many(actor: Actor, wanted: ChangeMany) -> list[Preview]:
    """What `change_many` would do, and raise: each change is made and rolled back again."""
    previews, wrong = [], None
    for repository_id in _ids(wanted):
        name = await _name(actor, repository_id)
        try:
            await catalogue.require_manage(actor, repository_id)
            former = await _state(actor, repository_id)
            new = await rehearse(partial(_changed, actor, repository_id, wanted))
        except _REFUSED as error:
            wrong = error if isinstance(error, InvalidInput) else wrong
            refused = Preview(repository_id=repository_id, name=name, refusal=error.message)
            previews.append(refused)
            continue
        found = [
            Difference(part=part, former=former[part], new=new[part])
            for part in Part
            if former[part] != new[part]
        ]
        previews.append(Preview(repository_id=repository_id, name=name, differences=found))
    if wrong is not None and all(one.refusal is not None for one in previews):
        raise wrong
    return previews


def _ids(wanted: ChangeMany) -> list[int]:
    ids = list(dict.fromkeys(wanted.repository_ids))
    if not ids:
        raise InvalidInput("Choose at least one repository.", field="repositories")
    if len(ids) > MAX_REPOSITORIES:
        raise InvalidInput(
            "More than %(most)s repositories at once.", field="repositories", most=MAX_REPOSITORIES
        )
    if wanted.is_nothing:
        raise InvalidInput("Say what is to change.", field="action")
    return ids


@transactional
async def _change_one(actor: Actor, repository_id: int, wanted: ChangeMany) -> None:
    await changing.change(actor, repository_id, wanted.of_each)
    if wanted.channel_id is not None:
        await by_repository.notify_by(actor, repository_id, wanted.channel_id)
    if wanted.pause_until is not None:
        await schedules.pause(actor, repository_id, wanted.pause_until)
    elif wanted.resume:
        await _resume(actor, repository_id)


async def _resume(actor: Actor, repository_id: int) -> None:
    """End a pause, if there is one."""
    health = await health_infos.health_info(actor, repository_id)
    if health.paused_until is not None:
        await schedules.resume(actor, repository_id)


async def _changed(actor: Actor, repository_id: int, wanted: ChangeMany) -> Mapping[Part, object]:
    await _change_one(actor, repository_id, wanted)
    return await _state(actor, repository_id)


async def _state(actor: Actor, repository_id: int) -> Mapping[Part, object]:
    """What a change of many can be about; also of one that the actor has just given away."""
    info = await catalogue.info_by_id(repository_id)
    health = await health_infos.health_info(SYSTEM, repository_id)
    return {
        Part.OWNER: info.owner,
        Part.QUOTA: info.quota_bytes,
        Part.SCHEDULE: health.schedule.in_words,
        Part.TAGS: health.tags,
        Part.PAUSE: health.paused_until,
        Part.SHARES: tuple((share.group, share.level) for share in info.groups),
        Part.CHANNELS: await by_repository.channels_about(actor, repository_id),
    }


async def _name(actor: Actor, repository_id: int) -> str:
    try:
        return (await catalogue.find_current(actor, repository_id)).name
    except NotFound:
        return ""
