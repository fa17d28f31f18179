"""Alarms: told as events with their numbers in `details`, until what they tell of is over.

A condition is over by itself (`begin`, `end`). What happened to the content of a repository is not
(`happened`): it stays open until a person answers, who hive/services/alarms/answers.py listens to.
hive/services/alarms/rules.py decides what raises an alarm; this records what was raised already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.queryset import ValuesQuery

from hive import clock, sql
from hive.database import transactional
from hive.kinds import QUOTA_STEPS, EventKind
from hive.models import Alarm, Repository
from hive.sentences import Size, say
from hive.services import events
from hive.services.alarms import rules
from hive.services.alarms.rules import Finding

# What a person has to answer, the worst first: until then the repository is critical.
UNTIL_ANSWERED = (
    EventKind.CONTENT_GONE,
    EventKind.CLIENT_DELETED,
    EventKind.INTEGRITY_ERROR,
    EventKind.MASS_DELETION,
    EventKind.APPEND_ONLY_DELETION,
    EventKind.WENT_BACK,
    EventKind.REPLACED,
    EventKind.SHRUNK,
    EventKind.CONFIG_SUSPICIOUS,
    EventKind.ROLLBACK_STOPPED,
)


@dataclass(frozen=True, kw_only=True)
class AlarmInfo:
    """An alarm about a repository; `count` is how often it happened, `message` tells the newest."""

    id: int
    repository_id: int
    kind: EventKind
    level: int
    message: str
    since: datetime
    count: int
    session_id: int | None
    in_short: str  # "91 % deleted"
    answered_at: datetime | None
    answered_by: str | None

    @property
    def is_critical(self) -> bool:
        """Whether it waits for an answer."""
        return self.answered_at is None and self.kind in UNTIL_ANSWERED


def info_of(row: Alarm) -> AlarmInfo:
    """What may be shown of the row, which is about a repository."""
    return AlarmInfo(
        id=row.id,
        repository_id=row.repository_id or 0,
        kind=row.kind,
        level=row.level,
        message=row.message,
        since=row.since,
        count=row.count,
        session_id=row.session_id,
        in_short=in_short(row.kind, row.details),
        answered_at=row.answered_at,
        answered_by=row.answered_by,
    )


def in_short(kind: EventKind, details: Mapping[str, Any]) -> str:
    """What happened, as the state of a repository: in a word or two."""
    lost = details.get("lost_percent")
    if isinstance(lost, int | float) and lost >= 0.5:
        percent = f"{lost:.0f}"
        if kind in (EventKind.MASS_DELETION, EventKind.APPEND_ONLY_DELETION):
            return say("%(percent)s %% deleted", percent=percent)
        if kind == EventKind.SHRUNK:
            return say("Shrunk by %(percent)s %%", percent=percent)
    return _IN_SHORT.get(kind, str(kind))


_IN_SHORT = {
    EventKind.CONTENT_GONE: say("Content gone"),
    EventKind.CLIENT_DELETED: say("Repository deleted"),
    EventKind.INTEGRITY_ERROR: say("Damaged"),
    EventKind.MASS_DELETION: say("Mass deletion"),
    EventKind.APPEND_ONLY_DELETION: say("Deletion"),
    EventKind.WENT_BACK: say("Went back"),
    EventKind.REPLACED: say("Replaced"),
    EventKind.SHRUNK: say("Shrunk"),
    EventKind.CONFIG_SUSPICIOUS: say("Config changed"),
    EventKind.ROLLBACK_STOPPED: say("Rollback stopped"),
}


async def lasting(repository_id: int) -> list[AlarmInfo]:
    """The alarms of a repository that are not over; for who may see it."""
    return (await lasting_of([repository_id])).get(repository_id, [])


async def lasting_of(repository_ids: Collection[int] | None) -> dict[int, list[AlarmInfo]]:
    """The same for many, None for all, by repository; those that wait for an answer first."""
    query = Alarm.filter(repository_id__not_isnull=True, answered_at=None)
    if repository_ids is not None:
        query = query.filter(repository_id__in=sql.ids(repository_ids))
    found: dict[int, list[AlarmInfo]] = {}
    for row in sorted(await query, key=lambda one: (_weight(one.kind), one.id)):
        found.setdefault(row.repository_id or 0, []).append(info_of(row))
    return found


def _weight(kind: EventKind) -> int:
    return UNTIL_ANSWERED.index(kind) if kind in UNTIL_ANSWERED else len(UNTIL_ANSWERED)


def critical_repositories() -> ValuesQuery[Any]:
    """The query for the ids of those that are critical, to be put into another one."""
    waiting = Alarm.filter(
        repository_id__not_isnull=True, answered_at=None, kind__in=UNTIL_ANSWERED
    )
    return waiting.values("repository_id")


async def worst_of(repository_ids: Collection[int]) -> dict[int, str]:
    """What happened to those that are critical, in short, by repository."""
    rows = Alarm.filter(
        repository_id__in=list(repository_ids), answered_at=None, kind__in=UNTIL_ANSWERED
    )
    worst: dict[int, str] = {}
    for row in sorted(await rows, key=lambda one: (_weight(one.kind), one.id)):
        worst.setdefault(row.repository_id or 0, in_short(row.kind, row.details))
    return worst


@transactional
async def happened(
    repository_id: int,
    kind: EventKind,
    message: str,
    *,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """Tell of what happened to a repository, and keep it open until a person answers."""
    row = await _open_row(repository_id, kind)
    if row is None:
        row = Alarm(repository_id=repository_id, kind=kind, since=clock.now(), count=0)
    row.count += 1
    row.level, row.message, row.details = 1, message, details
    row.session_id = session_id
    await row.save()
    await events.record(repository_id, kind, message, session_id=session_id, **details)


async def _open_row(repository_id: int, kind: EventKind) -> Alarm | None:
    return await Alarm.filter(repository_id=repository_id, kind=kind, answered_at=None).first()


@transactional
async def begin(
    repository_id: int,
    kind: EventKind,
    message: str,
    *,
    level: int = 1,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> bool:
    """Notify of a condition unless that was done at this level already; whether it was done now."""
    row = await _open_row(repository_id, kind)
    if not await _keep(
        row, kind, level, message, details, repository_id=repository_id, session_id=session_id
    ):
        return False
    await events.record(repository_id, kind, message, session_id=session_id, level=level, **details)
    return True


@transactional
async def end(repository_id: int, kind: EventKind, message: str) -> bool:
    """Notify that a condition is over, if people were notified of it."""
    row = await _open_row(repository_id, kind)
    if row is None:
        return False
    await row.delete()
    await events.record(
        repository_id, EventKind.ALARM_ENDED, message, alarm=kind, since=clock.rfc3339(row.since)
    )
    return True


async def _keep(
    row: Alarm | None,
    kind: EventKind,
    level: int,
    message: str,
    details: dict[str, Any],
    *,
    repository_id: int,
    session_id: int | None,
) -> bool:
    """Keep the alarm's row current; True where it is new or worse than it was."""
    is_worse = row is None or level > row.level
    if row is None:
        row = Alarm(repository_id=repository_id, kind=kind, since=clock.now())
    elif kind in UNTIL_ANSWERED:
        row.count += 1
    row.level, row.message, row.details = level, message, details
    row.session_id = session_id
    await row.save()
    return is_worse


async def tell(
    repository_id: int, findings: list[Finding], *, session_id: int | None = None
) -> None:
    """Tell of what was found to have happened; that the content is gone, once."""
    for finding in findings:
        if finding.kind == EventKind.CONTENT_GONE and await _is_known_to_be_gone(repository_id):
            continue
        await happened(
            repository_id,
            finding.kind,
            finding.message,
            session_id=session_id,
            **finding.details,
        )


async def _is_known_to_be_gone(repository_id: int) -> bool:
    kinds = (EventKind.CONTENT_GONE, EventKind.CLIENT_DELETED)
    return await Alarm.filter(
        repository_id=repository_id, kind__in=kinds, answered_at=None
    ).exists()


async def check_quota(
    repository: Repository,
    used_bytes: int | None,
    *,
    is_exceeded: bool = False,
    quota: int | None = None,
    whose: str | None = None,
) -> None:
    """Tell when a step of the quota is passed; call in a transaction.

    `is_exceeded`: new data has just been refused, whatever is used now. `quota` is the repository's
    own where nothing else is said; `whose` names the user or group that it belongs to.
    """
    quota = quota or repository.quota_bytes
    row = await _open_row(repository.id, EventKind.QUOTA_FILLING)
    if quota is None or used_bytes is None:
        percent = 0.0
    else:
        percent = 100.0 if is_exceeded else 100 * used_bytes / quota
    level = rules.level(percent, QUOTA_STEPS, row.level if row is not None else 0)
    if level == 0:
        await end(repository.id, EventKind.QUOTA_FILLING, say("The quota has room again."))
        return
    use = say("%(used)s of %(quota)s", used=Size(used_bytes or 0), quota=Size(quota or 0))
    message = _exceeded(use, whose) if is_exceeded else _filling(percent, use, whose)
    await begin(
        repository.id,
        EventKind.QUOTA_FILLING,
        message,
        level=level,
        used_bytes=used_bytes,
        quota_bytes=quota,
        percent=round(percent, 1),
    )


def _exceeded(use: str, whose: str | None) -> str:
    """New data was refused: less may be used than the quota, as the session left nothing."""
    if whose is None:
        return say("New data was refused, as the quota has no room for it: %(use)s used.", use=use)
    return say(
        "New data was refused, as the quota of %(whose)s has no room for it: %(use)s used.",
        whose=whose,
        use=use,
    )


def _filling(percent: float, use: str, whose: str | None) -> str:
    if whose is None:
        return say("%(percent).0f %% of the quota are used: %(use)s.", percent=percent, use=use)
    return say(
        "%(percent).0f %% of the quota of %(whose)s are used: %(use)s.",
        whose=whose,
        percent=percent,
        use=use,
    )


@transactional
async def integrity_error(
    repository_id: int,
    message: str,
    *,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """A check, or borg itself, found the repository damaged."""
    await begin(repository_id, EventKind.INTEGRITY_ERROR, message, session_id=session_id, **details)


@transactional
async def integrity_proven(repository_id: int) -> None:
    """A whole check found nothing wrong."""
    await end(
        repository_id, EventKind.INTEGRITY_ERROR, say("A check found nothing wrong any more.")
    )
