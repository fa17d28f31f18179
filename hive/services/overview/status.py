"""The one glance over everything: counts by state, and what somebody should look at.

Each source says what it finds wrong; to watch something else, add a source to `SOURCES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hive.models import Alarm
from hive.sentences import say
from hive.services.health import infos as health_info
from hive.services.health.infos import HealthInfo
from hive.services.health.states import COUNTED, Condition
from hive.services.notifications import reach
from hive.services.overview import summaries
from hive.services.overview.summaries import Summary
from hive.services.permissions import Actor


class ConcernKind(StrEnum):
    """In the order of how much it matters."""

    CRITICAL = "critical"
    SERVER = "server"
    NOBODY_NOTIFIED = "nobody to notify"
    UNKNOWN = "unknown"
    DOWN = "down"
    LATE = "late"
    ALARM = "alarm"


@dataclass(frozen=True)
class Concern:
    """One thing that is wrong; about a repository, or about none (empty)."""

    kind: ConcernKind
    message: str
    repository: str = ""  # OWNER/NAME
    since: datetime | None = None
    alarm: str = ""  # its kind
    alarm_id: int | None = None  # where it waits for an answer


@dataclass(frozen=True)
class VisibleRepositories:
    """What the sources look at: the repositories that the actor may see."""

    actor: Actor
    summaries: Sequence[Summary]
    healths: Mapping[int, HealthInfo]

    def name(self, one: Summary) -> str:
        return f"{one.owner}/{one.name}"


@dataclass(frozen=True)
class Status:
    counts: Mapping[Condition, int]  # in the order in which they are said
    concerns: tuple[Concern, ...]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong: not watched, new and paused are no trouble."""
        return not self.concerns


Source = Callable[[VisibleRepositories], Awaitable[list[Concern]]]


async def look(actor: Actor) -> Status:
    """How everything is that the actor may see."""
    found = await summaries.summaries(actor)
    seen = VisibleRepositories(
        actor, found, await health_info.health_infos(actor, [one.id for one in found])
    )
    counts = Counter(one.condition for one in found)
    concerns = [concern for source in SOURCES for concern in await source(seen)]
    order = list(ConcernKind)
    return Status(
        counts={condition: counts[condition] for condition in COUNTED},
        concerns=tuple(sorted(concerns, key=lambda one: order.index(one.kind))),
    )


async def _repositories(seen: VisibleRepositories) -> list[Concern]:
    """Those that are unknown, down or late; alarms cover what is critical."""
    found = []
    for one in seen.summaries:
        health = seen.healths[one.id]
        if one.condition == Condition.UNKNOWN:
            found.append(
                Concern(ConcernKind.UNKNOWN, say("%(reason)s.", reason=one.reason), seen.name(one))
            )
        elif one.condition in (Condition.DOWN, Condition.LATE):
            kind = ConcernKind(one.condition)
            found.append(Concern(kind, _missing(health), seen.name(one), health.since))
    return found


def _missing(health: HealthInfo) -> str:
    last, due = health.last_backup_at, health.due_at
    said = say("No backup yet") if last is None else say("The last backup was %(last)s", last=last)
    return (
        say("%(words)s.", words=said)
        if due is None
        else say("%(words)s; one was due %(due)s.", words=said, due=due)
    )


async def _alarms(seen: VisibleRepositories) -> list[Concern]:
    return [
        Concern(
            ConcernKind.CRITICAL if alarm.is_critical else ConcernKind.ALARM,
            alarm.message,
            seen.name(one),
            alarm.since,
            str(alarm.kind),
            alarm.id if alarm.is_critical else None,
        )
        for one in seen.summaries
        for alarm in seen.healths[one.id].alarms
    ]


async def _server(seen: VisibleRepositories) -> list[Concern]:
    if not seen.actor.sees_all:
        return []
    return [
        Concern(ConcernKind.SERVER, row.message, since=row.since, alarm=str(row.kind))
        for row in await Alarm.filter(repository_id=None).order_by("id")
    ]


async def _notifying(seen: VisibleRepositories) -> list[Concern]:
    """Whether nobody would hear of something; one channel that fails beside others is an alarm."""
    found = await reach.worries(seen.actor)
    is_nobody = bool(found.unreachable) or found.failing == found.channels
    sentences = found.sentences if is_nobody else []
    return [Concern(ConcernKind.NOBODY_NOTIFIED, sentence) for sentence in sentences]


SOURCES: tuple[Source, ...] = (_alarms, _server, _notifying, _repositories)
