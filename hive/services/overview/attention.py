"""What wants somebody's attention, over all repositories that one may see; in few queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise.expressions import Q

from hive import clock
from hive.kinds import EventKind
from hive.models import Alarm, Grant, Inspection, Key, Repository
from hive.services.alarms import alarms, answers, server_alarms
from hive.services.alarms.answers import AlarmOffer
from hive.services.health.states import Condition
from hive.services.overview.summaries import Summary
from hive.services.permissions import Actor, visible_keys

_PERCENT = 50  # of a disk that fills up, the level is its share in per cent
_UNUSED = timedelta(days=7)  # for which a key may wait for its first use


class AttentionKind(StrEnum):
    """In the order of how much it matters."""

    CRITICAL = "critical"  # it waits for an answer
    UNKNOWN = "unknown"
    DOWN = "down"
    CHECK_ERROR = "check error"
    ALARM = "alarm"
    LATE = "late"
    SESSION_FAILED = "session failed"
    STALE_LOCK = "stale lock"
    UNUSED_KEY = "unused key"


@dataclass(frozen=True)
class Attention:
    """One thing to look at; about a repository, a key, or the server where both are None."""

    kind: AttentionKind
    since: datetime
    repository_id: int | None = None
    repository: str = ""
    key_id: int | None = None
    key: str = ""
    session_id: int | None = None
    alarm: EventKind | None = None
    message: str = ""
    count: int = 1  # how often it happened; of UNKNOWN, how many repositories it is about
    is_severe: bool = False
    to_answer: AlarmOffer | None = None


async def list_attention(actor: Actor, summaries: Sequence[Summary]) -> list[Attention]:
    """What wants to be looked at, the worst first; of the repositories of these summaries."""
    found = [*await _missing_backups(summaries), *_failed_sessions(summaries), *_unknown(summaries)]
    found += await _alarms(actor, summaries)
    broken = {one.repository_id for one in found if one.alarm == EventKind.INTEGRITY_ERROR}
    found += await _check_errors([one for one in summaries if one.id not in broken])
    found += await _unused_keys(actor, summaries)
    order = list(AttentionKind)
    return sorted(found, key=lambda one: (order.index(one.kind), one.since))


def _unknown(summaries: Sequence[Summary]) -> list[Attention]:
    """One line for each reason, however many repositories it is about."""
    reasons = Counter(one.reason for one in summaries if one.condition == Condition.UNKNOWN)
    now = clock.now()
    return [
        Attention(AttentionKind.UNKNOWN, now, message=reason, count=count, is_severe=True)
        for reason, count in reasons.items()
    ]


async def _missing_backups(summaries: Sequence[Summary]) -> list[Attention]:
    """Those that nobody knows of yet."""
    troubled = {
        one.id: one for one in summaries if one.condition in (Condition.DOWN, Condition.LATE)
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
            is_severe=troubled[row["id"]].condition == Condition.DOWN,
        )
        for row in await unknown.values("id", "health_since", "created_at")
    ]


def _failed_sessions(summaries: Sequence[Summary]) -> list[Attention]:
    return [
        Attention(
            AttentionKind.SESSION_FAILED,
            one.failure.ended_at,
            one.id,
            one.name,
            session_id=one.failure.session_id,
        )
        for one in summaries
        if one.failure is not None
    ]


_KINDS = {EventKind.STALE_LOCK: AttentionKind.STALE_LOCK}


async def _alarms(actor: Actor, summaries: Sequence[Summary]) -> list[Attention]:
    names = {one.id: one.name for one in summaries}
    lasting = await alarms.lasting_of(list(names))
    rows = [one for of_one in lasting.values() for one in of_one]
    offers = await answers.offers(actor, [one for one in rows if one.is_critical])
    found = [
        Attention(
            AttentionKind.CRITICAL
            if row.is_critical
            else _KINDS.get(row.kind, AttentionKind.ALARM),
            row.since,
            row.repository_id,
            names[row.repository_id],
            session_id=row.session_id,
            alarm=row.kind,
            message=row.message,
            count=row.count,
            is_severe=row.is_critical,
            to_answer=offers.get(row.id),
        )
        for row in rows
    ]
    if actor.is_admin:
        found += await _of_the_server()
    return found


async def _of_the_server() -> list[Attention]:
    return [
        Attention(
            AttentionKind.ALARM,
            row.since,
            alarm=row.kind,
            message=row.message,
            is_severe=row.level >= server_alarms.CRITICAL_LEVEL and row.level < _PERCENT,
        )
        for row in await Alarm.filter(repository_id=None)
    ]


async def _check_errors(summaries: Sequence[Summary]) -> list[Attention]:
    names = {one.id: one.name for one in summaries}
    rows = await Inspection.filter(repository_id__in=list(names), check_error__not_isnull=True)
    return [
        Attention(
            AttentionKind.CHECK_ERROR,
            row.checked_at or row.at or clock.now(),
            row.repository_id,
            names[row.repository_id],
            message=row.check_error or "",
            is_severe=True,
        )
        for row in rows
    ]


async def _unused_keys(actor: Actor, summaries: Sequence[Summary]) -> list[Attention]:
    """Keys that open something and never did: a machine that was never set up."""
    before = clock.now() - _UNUSED
    grants = Grant.filter(repository_id__in=[one.id for one in summaries], key__last_used_at=None)
    ids = {row["key_id"] for row in await grants.filter(created_at__lt=before).values("key_id")}
    keys = Key.filter(await visible_keys(actor), id__in=list(ids), enabled=True)
    return [
        Attention(AttentionKind.UNUSED_KEY, row.created_at, key_id=row.id, key=row.name)
        for row in await keys.filter(created_at__lt=before)
    ]
