"""All repositories that one may see, in short and in few queries: for `hive status`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.kinds import Health
from hive.models import Repository, RepositoryTag, Session
from hive.services.alarms import alarms, server_alarms
from hive.services.health.review import running_until
from hive.services.health.states import Condition, condition_of, state_of
from hive.services.permissions import Actor, visible_repositories
from hive.services.sessions import latest
from hive.services.sessions.filters import SessionState, in_state


@dataclass(frozen=True)
class FailedSession:
    """The last session, which did not end well."""

    session_id: int
    ended_at: datetime


@dataclass(frozen=True)
class Summary:
    id: int
    name: str
    login: str
    owner: str
    location_id: int
    condition: Condition
    tags: tuple[str, ...]
    size_bytes: int | None
    failure: FailedSession | None
    is_in_use: bool  # by any session
    reason: str  # what happened, or why nothing is known; empty for the other conditions


_COLUMNS = ("id", "name", "login", "location_id", "health", "maintenance", "size_bytes")


async def summaries(actor: Actor) -> list[Summary]:
    """The worst first."""
    query = Repository.filter(await visible_repositories(actor), deleted_at=None)
    rows = await query.order_by("last_backup_at", "id").values(*_COLUMNS, owner="owner__name")
    ids = [row["id"] for row in rows]
    running = await running_until(ids, clock.now())
    tags = await _tags(ids)
    in_use = await latest.in_use(ids)
    failures = await _failures(await latest.newest(ids) | in_use)
    happened = await alarms.worst_of(ids)
    unknowns = await server_alarms.unknowns()
    found = []
    for row in rows:
        one = row["id"]
        unknown = unknowns.of(row["location_id"])
        state = state_of(Health(row.pop("health")), is_critical=one in happened, unknown=unknown)
        condition = condition_of(state, row.pop("maintenance"), is_backing_up=one in running)
        found.append(
            Summary(
                **row,
                condition=condition,
                tags=tuple(tags.get(one, ())),
                failure=failures.get(one),
                is_in_use=one in in_use,
                reason=happened.get(one, unknown),
            )
        )
    return _sorted(found)


async def _tags(ids: Collection[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = RepositoryTag.filter(repository_id__in=list(ids)).order_by("tag")
    for row in await rows.values("repository_id", "tag"):
        found.setdefault(row["repository_id"], []).append(row["tag"])
    return found


async def _failures(last: Mapping[int, int]) -> dict[int, FailedSession]:
    failed = Session.filter(in_state(SessionState.BADLY), id__in=list(last.values()))
    return {
        row["repository_id"]: FailedSession(row["id"], row["ended_at"])
        for row in await failed.values("id", "repository_id", "ended_at")
    }


def _sorted(found: Sequence[Summary]) -> list[Summary]:
    """The worst first."""
    conditions = list(Condition)
    return sorted(
        found,
        key=lambda one: (
            conditions.index(one.condition),
            one.failure is None,
            one.name.lower(),
            one.id,
        ),
    )
