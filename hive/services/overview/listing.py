"""The list of the first page, as the database finds it: counted, filtered, sorted, and cut.

Nothing here grows with the number of repositories but what the database does by itself: only
the ids of one page leave it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pypika_tortoise.terms import Term
from tortoise.expressions import Case, Expression, F, Q, Subquery
from tortoise.functions import Coalesce, Count, Lower, Sum
from tortoise.queryset import QuerySet

from hive import clock, sql
from hive.kinds import Health
from hive.models import Repository, RepositoryTag, Session, User
from hive.services.alarms import alarms, server_alarms
from hive.services.health.review import running_until
from hive.services.health.states import COUNTED, Condition
from hive.services.permissions import Actor, not_deleted, visible_repositories
from hive.services.storage import sizes

NEARLY_FULL = 90  # per cent of a quota
_HEALTHS = (Condition.DOWN, Condition.LATE, Condition.UNWATCHED, Condition.NEW, Condition.PAUSED)
_WEEK = timedelta(weeks=1)
_DAY = timedelta(days=1)

# What is shown first. Of what is fine, those that fill their quota come before the others.
_WARNED = "warned"
_RANKS: tuple[str, ...] = (
    Condition.CRITICAL,
    Condition.UNKNOWN,
    Condition.DOWN,
    Condition.LATE,
    Condition.BUSY,
    Condition.RUNNING,
    _WARNED,
    Condition.UNWATCHED,
    Condition.NEW,
    Condition.PAUSED,
    Condition.FINE,
)


class Order(StrEnum):
    """By what the rows are sorted, and which way by itself."""

    WORST = "worst"
    NAME = "name"
    BACKUP = "backup"  # longest without one first, never first of all
    DUE = "due"  # what is expected soonest
    SIZE = "size"  # the largest first
    GROWTH = "growth"  # of this week, the most first


class Group(StrEnum):
    """By what the rows are put together; one with several tags stands under its first."""

    NONE = "none"
    OWNER = "owner"
    TAG = "tag"
    LOCATION = "location"


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """Which repositories to list.

    text         what their name, owner, login or a tag contains, in any case; "#nas": a tag alone
    tag          a tag that they have
    state        what is shown of them
    is_reversed  against the way that the order goes by itself
    after        the last repository of the page before; one that is not in the list any more
                 leads to its beginning
    """

    text: str = ""
    tag: str = ""
    state: Condition | None = None
    order: Order = Order.WORST
    is_reversed: bool = False
    group: Group = Group.NONE
    after: int | None = None

    @property
    def is_filter(self) -> bool:
        return bool(self.text or self.tag or self.state)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of all repositories that the actor may see, whatever is listed.

    counts     how many are in each condition, the worst first; none that is empty
    unheard    how many of each of them are neither acknowledged nor muted
    backed_up  how many have had a backup within a day
    """

    counts: Sequence[tuple[Condition, int]]
    unheard: Mapping[Condition, int]
    total: int
    size_bytes: int
    backed_up: int
    location_ids: frozenset[int]


@dataclass(frozen=True)
class Listed:
    id: int
    group: str  # empty where the rows are not put together, or where there is no tag


@dataclass(frozen=True)
class Page:
    rows: Sequence[Listed]
    fitting: int | None  # on all pages; None: all of them are
    next_after: int | None  # None on the last page


class Listing:
    """The repositories that an actor may see, as the database holds them now."""

    def __init__(self, actor: Actor, visible: Q, rank: Case) -> None:
        self._sees_all = actor.sees_all
        self._visible = visible
        self._rank = rank

    @classmethod
    async def open(cls, actor: Actor) -> Listing:
        """Look at what is not in the rows themselves: it is little."""
        return cls(actor, await visible_repositories(actor), await _rank())

    def _all(self) -> QuerySet[Repository]:
        return self.rows().annotate(rank=self._rank)

    async def totals(self) -> Totals:
        """In one query."""
        now = clock.now()
        recent = sql.case((Q(last_backup_at__gte=now - _DAY), 1), default=0)
        query = self._all().annotate(
            count=Count("id"),
            size=Sum("size_bytes"),
            recent=Sum(recent),  # type: ignore[arg-type]  # its hints know no Case
            unheard=Sum(sql.case((unheard(now), 1), default=0)),  # type: ignore[arg-type]
        )
        columns = ("rank", "location_id", "count", "size", "recent", "unheard")
        rows = await query.group_by("rank", "location_id").values(*columns)
        counts: Counter[Condition] = Counter()
        unheard_of: Counter[Condition] = Counter()
        for row in rows:
            condition = _condition(row["rank"])
            counts[condition] += row["count"]
            unheard_of[condition] += row["unheard"]
        return Totals(
            counts=[(one, counts[one]) for one in COUNTED if one in counts],
            unheard=unheard_of,
            total=sum(counts.values()),
            size_bytes=sum(row["size"] or 0 for row in rows),
            backed_up=sum(row["recent"] or 0 for row in rows),
            location_ids=frozenset(row["location_id"] for row in rows),
        )

    async def page(self, query: ListQuery, length: int) -> Page:
        """One page of what fits, in its order."""
        keys = _keys(query)
        fitting = self._all().filter(_fits(query)).annotate(**_annotations(keys))
        names = [key.name for key in keys]
        last = None
        if query.after is not None:
            last = await fitting.filter(id=query.after).first().values(*names)
        shown = fitting.filter(_behind(keys, last)) if last else fitting
        is_counted = query.is_filter and not last
        if is_counted:
            shown = shown.annotate(count=sql.count_of_all())
        order = [f"{'-' if key.is_descending else ''}{key.name}" for key in keys]
        columns = [*names, "count"] if is_counted else names
        found = await shown.order_by(*order).limit(length + 1).values(*columns)
        rows = [Listed(row["id"], _name_of_group(row)) for row in found[:length]]
        count: int | None = None
        if is_counted:
            count = found[0]["count"] if found else 0
        elif query.is_filter:
            count = await self._all().filter(_fits(query)).count()
        return Page(
            rows=rows, fitting=count, next_after=rows[-1].id if len(found) > length else None
        )

    def in_condition(self, condition: Condition) -> QuerySet[Repository]:
        """Those of which just this is shown, with an index where it is a health."""
        by_index = Q(health=Health(condition)) if condition in _HEALTHS else Q()
        return self._all().filter(by_index, _in_state(condition))

    def about(self) -> Q:
        """What restricts a query on what belongs to a `repository` to these repositories."""
        if self._sees_all:
            return Q(repository__deleted_at=None)  # cheaper than to name them all
        ours = Repository.filter(self._visible, deleted_at=None)
        return Q(repository_id__in=Subquery(ours.values("id")))

    async def received(self) -> int:
        """Bytes of the sessions that ended within a day, from their index alone."""
        ours = Q() if self._sees_all else self.about()
        query = Session.filter(ours, ended_at__gte=clock.now() - _DAY)
        (row,) = await query.annotate(sum=Sum("bytes_in")).values("sum")
        return int(row["sum"] or 0)

    def rows(self) -> QuerySet[Repository]:
        """The repositories themselves."""
        return Repository.filter(self._visible, not_deleted())


def unheard(now: datetime) -> Q:
    """What restricts a query on repositories to those whose missing backup nobody knows of."""
    return Q(acknowledged_at=None) & (Q(muted_until=None) | Q(muted_until__lte=now))


async def _rank() -> Case:
    """The place of what is shown of a repository in `_RANKS`; as `states.condition_of` says it."""
    unknown = await server_alarms.unknowns()
    running = await running_until(None, clock.now())
    places = [where for where, _ in unknown.words]
    is_unknown = Q(id__gt=0) if None in places else Q(location_id__in=[p for p in places if p])
    fills = Q(quota_bytes__gt=0) & Q(size_bytes__gte=F("quota_bytes") * (NEARLY_FULL / 100))
    cases: list[tuple[str, Q]] = [
        (Condition.CRITICAL, Q(id__in=Subquery(alarms.critical_repositories()))),
        *([(Condition.UNKNOWN, is_unknown)] if places else []),
        (Condition.DOWN, Q(health=Health.DOWN)),
        (Condition.LATE, Q(health=Health.LATE)),
        (Condition.BUSY, Q(maintenance__gt="")),
        *([(Condition.RUNNING, Q(id__in=sql.ids(running)))] if running else []),
        (Condition.UNWATCHED, Q(health=Health.UNWATCHED)),
        (Condition.NEW, Q(health=Health.NEW)),
        (Condition.PAUSED, Q(health=Health.PAUSED)),
        (_WARNED, fills),
    ]
    choices = [(fits, _RANKS.index(name)) for name, fits in cases]
    return sql.case(*choices, default=_RANKS.index(Condition.FINE))


def _condition(rank: int) -> Condition:
    name = _RANKS[rank]
    return Condition.FINE if name == _WARNED else Condition(name)


def _in_state(state: Condition) -> Q:
    return Q(rank__in=[rank for rank in range(len(_RANKS)) if _condition(rank) == state])


def _fits(query: ListQuery) -> Q:
    fits = Q()
    if query.state is not None:
        fits &= _in_state(query.state)
    if query.tag:
        fits &= _tagged(Q(tag=query.tag))
    text = query.text.strip()
    if text.startswith("#"):
        fits &= _tagged(Q(tag__icontains=text[1:].lower()))
    elif text:
        fits &= (
            Q(name__icontains=text)
            | Q(login__icontains=text)
            | Q(owner_id__in=Subquery(User.filter(name__icontains=text).values("id")))
            | _tagged(Q(tag__icontains=text.lower()))
        )
    return fits


def _tagged(fits: Q) -> Q:
    return Q(id__in=Subquery(RepositoryTag.filter(fits).values("repository_id")))


@dataclass(frozen=True)
class _Key:
    """What rows are sorted by; never NULL, which databases sort in different ways."""

    name: str
    of: Expression | Term
    is_descending: bool = False


def _keys(query: ListQuery) -> list[_Key]:
    keys = [*_of_order(query.order), _Key("id", F("id"))]
    if query.is_reversed:
        keys = [_Key(key.name, key.of, not key.is_descending) for key in keys]
    return [*_of_group(query.group), *keys]


def _annotations(keys: Sequence[_Key]) -> dict[str, Expression | Term]:
    """All but what is a column already."""
    return {key.name: key.of for key in keys if key.name not in ("id", "rank")}


def _of_order(order: Order) -> list[_Key]:
    match order:
        case Order.WORST:
            well = sql.case((Q(failed_session_id=None), 1), default=0)
            return [_Key("rank", F("rank")), _Key("well", well), _Key("low", Lower("name"))]
        case Order.NAME:
            return [_Key("low", Lower("name"))]
        case Order.BACKUP:
            never = sql.case((Q(last_backup_at=None), 0), default=1)
            return [_Key("never", never), _Key("last", Coalesce("last_backup_at", "created_at"))]
        case Order.DUE:
            none = sql.case((Q(due_at=None), 1), default=0)
            return [_Key("none_due", none), _Key("due", Coalesce("due_at", "created_at"))]
        case Order.SIZE:
            return [_Key("size", Coalesce("size_bytes", 0), is_descending=True)]
        case Order.GROWTH:
            now = clock.now()
            grown = sql.grown(now - sizes.WINDOW, now - _WEEK, now)
            return [_Key("grown", grown, is_descending=True)]


def _of_group(group: Group) -> list[_Key]:
    match group:
        case Group.NONE:
            return []
        case Group.OWNER:
            return [_Key("group_name", sql.owner_name())]
        case Group.LOCATION:
            return [_Key("group_name", sql.location_name())]
        case Group.TAG:
            first = sql.first_tag()
            return [_Key("has_no_tag", sql.has_no_tag()), _Key("group_name", first)]


def _name_of_group(row: dict[str, Any]) -> str:
    return str(row.get("group_name") or "")


def _behind(keys: Sequence[_Key], last: dict[str, Any]) -> Q:
    """What comes after a row in the order of the keys."""
    found, before = Q(), Q()
    for place, key in enumerate(keys):
        value = last[key.name]
        way = "lt" if key.is_descending else "gt"
        step = before & Q(**{f"{key.name}__{way}": value})
        found = step if place == 0 else found | step
        before &= Q(**{key.name: value})
    return found
