"""How a repository's health was: one period after the other, from the changes that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.kinds import Health
from hive.models import HealthChange, Repository


@dataclass(frozen=True, kw_only=True)
class Period:
    """A time in which the health stayed the same; `ended_at` is None of the one that lasts."""

    health: Health
    begun_at: datetime
    ended_at: datetime | None

    @property
    def lasted(self) -> timedelta:
        return (self.ended_at or clock.now()) - self.begun_at


async def periods(repository_id: int, *, limit: int) -> list[Period]:
    """The newest first, for who may see the repository."""
    repository = await Repository.get(id=repository_id)
    rows = HealthChange.filter(repository_id=repository_id).order_by("-at", "-id")
    return _periods(repository, await rows.limit(limit + 1))[:limit]


def _periods(repository: Repository, changes: Sequence[HealthChange]) -> list[Period]:
    """`changes`: the newest first."""
    if not changes:
        since = repository.health_since or repository.created_at
        return [Period(health=repository.health, begun_at=since, ended_at=None)]
    found = [Period(health=changes[0].health, begun_at=changes[0].at, ended_at=None)]
    for number, change in enumerate(changes):
        earlier = changes[number + 1] if number + 1 < len(changes) else None
        begun_at = earlier.at if earlier is not None else _beginning(repository, change)
        if begun_at < change.at:
            found.append(Period(health=change.former, begun_at=begun_at, ended_at=change.at))
    return found


def _beginning(repository: Repository, change: HealthChange) -> datetime:
    """Of what was before the oldest change that is known."""
    if change.lasted_seconds is None:
        return repository.created_at
    return change.at - timedelta(seconds=change.lasted_seconds)
