"""What wants somebody's attention, over all repositories that one may see; in few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise.expressions import Q

from hive import clock
from hive.kinds import EventKind
from hive.models import Alarm, Grant, Inspection, Key, Repository
from hive.services.outlines import Condition, Outline
from hive.services.permissions import Actor, visible_keys

_UNUSED = timedelta(days=7)  # for which a key may wait for its first use


class AttentionKind(StrEnum):
    """In the order of how much it matters."""

    DOWN = "down"
    CHECK_ERROR = "check error"
    ALARM = "alarm"
    LATE = "late"
    SESSION_FAILED = "session failed"
    STALE_LOCK = "stale lock"
    UNUSED_KEY = "unused key"


@dataclass(frozen=True)
class Attention:
    """One thing to look at; about a repository, a key, or a storage root where both are None."""

    kind: AttentionKind
    since: datetime
    repository_id: int | None = None
    repository: str = ""
    key_id: int | None = None
    key: str = ""
    session_id: int | None = None
    alarm: EventKind | None = None
    message: str = ""


async def list_attention(actor: Actor, outlines: Sequence[Outline]) -> list[Attention]:
    """What wants to be looked at, the worst first; of the repositories of these outlines."""
    found = [*await _missing_backups(outlines), *_failed_sessions(outlines)]
    found += await _alarms(actor, outlines)
    broken = {one.repository_id for one in found if one.kind == AttentionKind.CHECK_ERROR}
    found += await _check_errors([one for one in outlines if one.id not in broken])
    found += await _unused_keys(actor, outlines)
    order = list(AttentionKind)
    return sorted(found, key=lambda one: (order.index(one.kind), one.since))


async def _missing_backups(outlines: Sequence[Outline]) -> list[Attention]:
    """Those that nobody knows of yet."""
    troubled = {
        one.id: one for one in outlines if one.condition in (Condition.DOWN, Condition.LATE)
    }
    now = clock.now()
    rows = Repository.filter(id__in=list(troubled), acknowledged_at=None)
    unknown = rows.filter(Q(muted_until=None) | Q(muted_until__lte=now))
    return [
        Attention(
            AttentionKind(troubled[row["id"]].condition),
            row["health_since"] or row["created_at"],
            row["id"],
            troubled[row["id"]].name,
        )
        for row in await unknown.values("id", "health_since", "created_at")
    ]


def _failed_sessions(outlines: Sequence[Outline]) -> list[Attention]:
    return [
        Attention(
            AttentionKind.SESSION_FAILED,
            one.failure.ended_at,
            one.id,
            one.name,
            session_id=one.failure.session_id,
        )
        for one in outlines
        if one.failure is not None
    ]


_KINDS = {
    EventKind.STALE_LOCK: AttentionKind.STALE_LOCK,
    EventKind.INTEGRITY_ERROR: AttentionKind.CHECK_ERROR,
}


async def _alarms(actor: Actor, outlines: Sequence[Outline]) -> list[Attention]:
    names = {one.id: one.name for one in outlines}
    rows = await Alarm.filter(repository_id__in=list(names))
    if actor.is_admin:
        rows += await Alarm.filter(repository_id=None)
    return [
        Attention(
            _KINDS.get(row.kind, AttentionKind.ALARM),
            row.since,
            row.repository_id,
            names.get(row.repository_id or 0, ""),
            alarm=row.kind,
            message=row.message,
        )
        for row in rows
    ]


async def _check_errors(outlines: Sequence[Outline]) -> list[Attention]:
    names = {one.id: one.name for one in outlines}
    rows = await Inspection.filter(repository_id__in=list(names), check_error__not_isnull=True)
    return [
        Attention(
            AttentionKind.CHECK_ERROR,
            row.checked_at or row.at or clock.now(),
            row.repository_id,
            names[row.repository_id],
            message=row.check_error or "",
        )
        for row in rows
    ]


async def _unused_keys(actor: Actor, outlines: Sequence[Outline]) -> list[Attention]:
    """Keys that open something and never did: a machine that was never set up."""
    before = clock.now() - _UNUSED
    grants = Grant.filter(repository_id__in=[one.id for one in outlines], key__last_used_at=None)
    ids = {row["key_id"] for row in await grants.filter(created_at__lt=before).values("key_id")}
    keys = Key.filter(await visible_keys(actor), id__in=list(ids), enabled=True)
    return [
        Attention(AttentionKind.UNUSED_KEY, row.created_at, key_id=row.id, key=row.name)
        for row in await keys.filter(created_at__lt=before)
    ]
