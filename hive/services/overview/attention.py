"""What wants somebody's attention, over all repositories that one may see: in few lines.

What is alike and takes no answer of its own is one line that names the first; each query is
bounded, so that it costs the same however many repositories there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count

from hive import clock
from hive.kinds import EventKind
from hive.models import Alarm, Grant, Inspection, Key, Repository, Session
from hive.services.alarms import alarms, answers, server_alarms
from hive.services.alarms.answers import AlarmOffer
from hive.services.health import proposals
from hive.services.health.states import Condition
from hive.services.notifications import channels, reach
from hive.services.notifications.channels import FailingChannel
from hive.services.overview.listing import Listing, Totals, unheard
from hive.services.permissions import Actor, manageable_ids, visible_keys

NAMED = 4  # that a line names
MOST = 50  # lines of what has to be answered one by one
ACKNOWLEDGED = 50  # that one button acknowledges
_PERCENT = 50  # of a disk that fills up, the level is its share in per cent
_UNUSED = timedelta(days=7)  # for which a key may wait for its first use
_TOGETHER = 200  # rows that are read to be counted; of more, the database counts them
_LATELY = timedelta(days=14)


class AttentionKind(StrEnum):
    """In the order of how much it matters."""

    CRITICAL = "critical"  # it waits for an answer
    CHANNELS = "channels"  # that fail
    UNKNOWN = "unknown"
    SERVER = "server"
    DOWN = "down"
    CHECK_ERROR = "check error"
    LATE = "late"
    ALARM = "alarm"
    UNREACHABLE = "unreachable"  # repositories that would notify nobody
    SESSION_FAILED = "session failed"
    UNWATCHED = "not watched"  # though backups come regularly
    UNUSED_KEY = "unused key"


@dataclass(frozen=True)
class Named:
    """A repository or key that a line names; `since` is what the line is about."""

    id: int
    name: str
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One line: about repositories, keys, channels or the server itself.

    count        how many it is about; of what is critical, how often it happened
    named        the first of them
    changeable   those among the named ones that the actor may change
    """

    kind: AttentionKind
    since: datetime
    count: int = 1
    named: tuple[Named, ...] = ()
    changeable: tuple[int, ...] = ()
    session_id: int | None = None
    alarm: EventKind | None = None
    message: str = ""
    is_severe: bool = False
    to_answer: AlarmOffer | None = None
    channels: tuple[FailingChannel, ...] = ()
    every: timedelta | None = None  # how often backups come

    @property
    def others(self) -> int:
        """How many there are besides the named ones."""
        return max(self.count - len(self.named), 0)


async def list_attention(actor: Actor, listing: Listing, totals: Totals) -> list[Attention]:
    """What wants to be looked at, the worst first."""
    conditions = {condition for condition, _ in totals.counts}
    found = [
        *(await _critical(actor, listing) if Condition.CRITICAL in conditions else ()),
        *await _notifying(actor),
        *(await _unknown(listing) if Condition.UNKNOWN in conditions else ()),
        *(await _missing(listing, totals, Condition.DOWN)),
        *(await _missing(listing, totals, Condition.LATE)),
        *await _check_errors(listing),
        *await _lasting(listing),
        *await _failed_sessions(listing),
        *(await _unwatched(listing) if Condition.UNWATCHED in conditions else ()),
        *await _unused_keys(actor, listing),
    ]
    if actor.sees_all:
        found += await _of_the_server()
    order = list(AttentionKind)
    found.sort(key=lambda one: order.index(one.kind))
    asked = {one for line in found for one in line.changeable}
    may_change = await manageable_ids(actor, asked) if asked else set()
    return [
        replace(line, changeable=tuple(one for one in line.changeable if one in may_change))
        for line in found
    ]


async def _critical(actor: Actor, listing: Listing) -> list[Attention]:
    rows = Alarm.filter(
        listing.about(),
        repository_id__not_isnull=True,
        answered_at=None,
        kind__in=alarms.UNTIL_ANSWERED,
    )
    waiting = [alarms.info_of(row) for row in await rows.order_by("since", "id").limit(MOST)]
    if not waiting:
        return []
    offers = await answers.offers(actor, waiting)
    ids = [one.repository_id for one in waiting]
    names = {row["id"]: row["name"] for row in await _names(ids)}
    return [
        Attention(
            kind=AttentionKind.CRITICAL,
            since=one.since,
            count=one.count,
            named=(Named(one.repository_id, names[one.repository_id]),),
            changeable=(one.repository_id,),
            session_id=one.session_id,
            alarm=one.kind,
            message=one.message,
            is_severe=True,
            to_answer=offers.get(one.id),
        )
        for one in waiting
    ]


async def _names(ids: Sequence[int]) -> list[dict[str, Any]]:
    return list(await Repository.filter(id__in=list(ids)).values("id", "name"))


async def _notifying(actor: Actor) -> list[Attention]:
    """Channels that fail, and repositories that would notify nobody."""
    worries, now = await reach.worries(actor), clock.now()
    found = []
    if worries.failing:
        failing = await channels.failing_in_short(actor)
        since = (one.condition.failing_since for one in failing)
        line = Attention(
            kind=AttentionKind.CHANNELS,
            since=min((at for at in since if at is not None), default=now),
            count=worries.failing,
            message=worries.of_channels,
            is_severe=True,
            channels=tuple(failing[:NAMED]),
        )
        found.append(line)
    if worries.unreachable:
        first = tuple(Named(one.repository_id, one.repository) for one in worries.unreachable)
        line = Attention(
            kind=AttentionKind.UNREACHABLE,
            since=now,
            count=worries.unreachable_count,
            named=first[:NAMED],
        )
        found.append(line)
    return found


async def _unknown(listing: Listing) -> list[Attention]:
    """One line for each reason, however many repositories it is about."""
    unknowns, now = await server_alarms.unknowns(), clock.now()
    places: dict[str, list[int | None]] = {}
    for place, why in unknowns.words:
        places.setdefault(why, []).append(place)
    found = []
    for why, where in places.items():
        here = Q() if None in where else Q(location_id__in=where)
        count = await listing.in_condition(Condition.UNKNOWN).filter(here).count()
        if count:
            found.append(
                Attention(
                    kind=AttentionKind.UNKNOWN, since=now, message=why, count=count, is_severe=True
                )
            )
    return found


async def _missing(listing: Listing, totals: Totals, condition: Condition) -> list[Attention]:
    """Missing backups that nobody knows of yet: those that are down, or late."""
    count = totals.unheard.get(condition, 0)
    if not count:
        return []
    is_down = condition == Condition.DOWN
    query = listing.in_condition(condition).filter(unheard(clock.now()))
    first = query.order_by("health_since", "id").limit(ACKNOWLEDGED if is_down else NAMED)
    rows = await first.values("id", "name", "health_since", "due_at")
    if not rows:
        return []
    return [
        Attention(
            kind=AttentionKind(condition),
            since=rows[0]["health_since"] or clock.now(),
            count=count,
            named=tuple(Named(row["id"], row["name"], row["due_at"]) for row in rows[:NAMED]),
            changeable=tuple(row["id"] for row in rows) if is_down else (),
            is_severe=is_down,
        )
    ]


async def _check_errors(listing: Listing) -> list[Attention]:
    """Damage that a check found, but for that which waits for an answer."""
    told = Alarm.filter(
        kind=EventKind.INTEGRITY_ERROR, answered_at=None, repository_id__not_isnull=True
    )
    broken = Inspection.filter(listing.about(), check_error__not_isnull=True)
    broken = broken.exclude(repository_id__in=Subquery(told.values("repository_id")))
    first = broken.order_by("checked_at", "id").limit(_TOGETHER)
    rows = await first.values(
        "repository_id", "checked_at", "at", "check_error", name="repository__name"
    )
    if not rows:
        return []
    named = rows[:NAMED]
    return [
        Attention(
            kind=AttentionKind.CHECK_ERROR,
            since=rows[0]["checked_at"] or rows[0]["at"] or clock.now(),
            count=len(rows) if len(rows) < _TOGETHER else await broken.count(),
            named=tuple(Named(row["repository_id"], row["name"]) for row in named),
            changeable=tuple(row["repository_id"] for row in named),
            message=rows[0]["check_error"] or "",
            is_severe=True,
        )
    ]


async def _lasting(listing: Listing) -> list[Attention]:
    """Alarms that end by themselves: one line for each kind."""
    query = Alarm.filter(listing.about(), repository_id__not_isnull=True, answered_at=None)
    query = query.exclude(kind__in=alarms.UNTIL_ANSWERED)
    columns = ("repository_id", "kind", "since", "session_id", "message")
    first = query.order_by("since", "id").limit(_TOGETHER)
    rows = await first.values(*columns, name="repository__name")
    counts = Counter(row["kind"] for row in rows)
    if len(rows) == _TOGETHER:
        counted = query.annotate(count=Count("id")).group_by("kind").values("kind", "count")
        counts = Counter({row["kind"]: row["count"] for row in await counted})
    found = []
    for kind, count in counts.items():
        alike = [row for row in rows if row["kind"] == kind][:NAMED]
        first_of = alike[0] if alike else None
        found.append(
            Attention(
                kind=AttentionKind.ALARM,
                since=first_of["since"] if first_of else clock.now(),
                count=count,
                named=tuple(
                    Named(row["repository_id"], row["name"], row["since"]) for row in alike
                ),
                changeable=tuple(row["repository_id"] for row in alike),
                session_id=first_of["session_id"] if first_of else None,
                alarm=EventKind(kind),
                message=first_of["message"] if first_of else "",
            )
        )
    return found


async def _of_the_server() -> list[Attention]:
    """For administrators."""
    return [
        Attention(
            kind=AttentionKind.SERVER,
            since=row.since,
            alarm=row.kind,
            message=row.message,
            is_severe=row.level >= server_alarms.CRITICAL_LEVEL and row.level < _PERCENT,
        )
        for row in await Alarm.filter(repository_id=None).order_by("id").limit(MOST)
        if row.kind != EventKind.CHANNEL_FAILING  # has a line already
    ]


async def _failed_sessions(listing: Listing) -> list[Attention]:
    failed = listing.rows().filter(failed_session_id__not_isnull=True)
    newest = failed.order_by("-failed_session_id").limit(NAMED)
    rows = await newest.values("id", "name", "failed_session_id")
    if not rows:
        return []
    sessions = Session.filter(id__in=[row["failed_session_id"] for row in rows])
    ended = {row["id"]: row["ended_at"] for row in await sessions.values("id", "ended_at")}
    last = rows[0]["failed_session_id"]
    return [
        Attention(
            kind=AttentionKind.SESSION_FAILED,
            since=ended.get(last) or clock.now(),
            count=len(rows) if len(rows) < NAMED else await failed.count(),
            named=tuple(
                Named(row["id"], row["name"], ended.get(row["failed_session_id"])) for row in rows
            ),
            session_id=last,
        )
    ]


async def _unwatched(listing: Listing) -> list[Attention]:
    """Those that nobody watches though backups come regularly."""
    lately = Q(last_backup_at__gte=clock.now() - _LATELY)
    rows = await listing.in_condition(Condition.UNWATCHED).filter(lately).limit(NAMED)
    every = await proposals.observed_of(rows) if rows else {}
    regular = [row for row in rows if row.id in every]
    if not regular:
        return []
    return [
        Attention(
            kind=AttentionKind.UNWATCHED,
            since=clock.now(),
            count=len(regular),
            named=tuple(Named(row.id, row.name) for row in regular),
            changeable=tuple(every),
            every=every[regular[0].id],
        )
    ]


async def _unused_keys(actor: Actor, listing: Listing) -> list[Attention]:
    """Keys that open something and never did: a machine that was never set up."""
    before = clock.now() - _UNUSED
    unused = Key.filter(
        await visible_keys(actor), last_used_at=None, enabled=True, created_at__lt=before
    )
    if not await unused.exists():
        return []  # which costs little, and what follows reads all grants
    grants = Grant.filter(listing.about(), created_at__lt=before)
    unused = unused.filter(id__in=Subquery(grants.values("key_id")))
    rows = await unused.order_by("created_at", "id").limit(NAMED)
    if not rows:
        return []
    return [
        Attention(
            kind=AttentionKind.UNUSED_KEY,
            since=rows[0].created_at,
            count=len(rows) if len(rows) < NAMED else await unused.count(),
            named=tuple(Named(row.id, row.name, row.created_at) for row in rows),
        )
    ]
