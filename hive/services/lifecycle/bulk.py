"""Changing several repositories with one call: each is changed as a whole, or left and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hive.database import transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.permissions import Actor
from hive.services.repositories import catalogue

MAX_REPOSITORIES = 500


@dataclass(frozen=True, kw_only=True)
class ChangeMany:
    """What is to change of each of these repositories; what is absent stays as it is.

    repository_ids  up to MAX_REPOSITORIES
    schedule        when backups are expected
    add_tags        further tags; `remove_tags` takes some away
    pause_until     no backup is expected until then
    owner           another user by name; for administrators
    quota_bytes     a new quota; `no_quota` removes the one there is
    """

    repository_ids: Sequence[int]
    schedule: ScheduleChange = field(default_factory=ScheduleChange)
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    pause_until: datetime | None = None
    owner: str | None = None
    quota_bytes: int | None = None
    no_quota: bool = False

    @property
    def of_each(self) -> ChangeRepository:
        """What one repository is changed by, the pause aside."""
        return ChangeRepository(
            schedule=self.schedule,
            add_tags=tuple(self.add_tags),
            remove_tags=tuple(self.remove_tags),
            owner=self.owner,
            quota_bytes=self.quota_bytes,
            no_quota=self.no_quota,
        )


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


async def change_many(actor: Actor, wanted: ChangeMany) -> ChangedMany:
    """Change what is given of every repository that the actor may manage.

    What is refused for one repository is told with its name and keeps nothing else from being
    done. InvalidInput where the values themselves are wrong, so that nothing is changed at all.
    """
    ids = list(dict.fromkeys(wanted.repository_ids))
    if not ids:
        raise InvalidInput("Choose at least one repository.", field="repositories")
    if len(ids) > MAX_REPOSITORIES:
        raise InvalidInput(
            "More than %(most)s repositories at once.", field="repositories", most=MAX_REPOSITORIES
        )
    is_nothing = wanted.of_each == ChangeRepository() and wanted.pause_until is None
    if is_nothing:
        raise InvalidInput("Say what is to change.", field="action")
    changed, refusals, wrong = 0, [], None
    for repository_id in ids:
        try:
            await _change_one(actor, repository_id, wanted)
            changed += 1
        except (InvalidInput, Conflict, NotFound, Forbidden) as error:
            wrong = error if isinstance(error, InvalidInput) else wrong
            name = await _name(actor, repository_id)
            refusals.append(Refusal(repository_id, name, error.message))
    if wrong is not None and not changed:
        raise wrong
    return ChangedMany(changed, refusals)


@transactional
async def _change_one(actor: Actor, repository_id: int, wanted: ChangeMany) -> None:
    await changing.change(actor, repository_id, wanted.of_each)
    if wanted.pause_until is not None:
        await schedules.pause(actor, repository_id, wanted.pause_until)


async def _name(actor: Actor, repository_id: int) -> str:
    try:
        return (await catalogue.find_current(actor, repository_id)).name
    except NotFound:
        return ""
