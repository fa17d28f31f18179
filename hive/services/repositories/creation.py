"""Adding a repository as people do it: watched from the start, unless they say otherwise."""

from __future__ import annotations

from typing import Any

from hive.database import transactional
from hive.kinds import Mode
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, tags
from hive.services.repositories.infos import RepositoryInfo


@transactional
async def add(
    actor: Actor,
    schedule: ScheduleChange,
    *,
    mode: Mode = Mode.BORG,
    tags_to_add: tuple[str, ...] = (),
    **given: Any,  # noqa: ANN401 - as add_repository has it
) -> RepositoryInfo:
    """All of it or nothing. Where nothing is said of a schedule, the mode decides."""
    info = await catalogue.add_repository(actor, mode=mode, **given)
    wanted = schedules.with_default(schedule, mode)
    if not wanted.is_nothing:
        await schedules.set_schedule(actor, info.id, wanted)
    if tags_to_add:
        await tags.change_tags(actor, info.id, add=tags_to_add)
    return info
