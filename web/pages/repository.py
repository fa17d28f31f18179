"""One repository: how it is, how to reach it, its keys, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from aiohttp import web

from hive import clock
from hive.kinds import Level
from hive.services import (
    append_only,
    events,
    overview,
    repositories,
    sessions,
    statistics,
    trends,
    upkeeps,
)
from hive.services.overview import Condition, Details
from hive.services.permissions import Actor
from web import charts, client_setup
from web.access import actor_of
from web.charts import Chart
from web.forms import before, cut_page, one_of
from web.i18n import N_
from web.rendering import page

_SESSIONS = 20
_EVENTS = 20
_UPKEEPS = 3
# For how long a pause or a mute may be asked for with one click.
SPANS = {
    "+1d": N_("1 day"),
    "+3d": N_("3 days"),
    "+1w": N_("1 week"),
    "+2w": N_("2 weeks"),
    "+4w": N_("4 weeks"),
}


class Range(StrEnum):
    """Of what time the chart tells."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


RANGES = {
    Range.DAY: N_("day"),
    Range.WEEK: N_("week"),
    Range.MONTH: N_("month"),
    Range.YEAR: N_("year"),
    Range.ALL: N_("all"),
}
_DAYS = {Range.DAY: 1, Range.WEEK: 7, Range.MONTH: 30, Range.YEAR: 365}


async def show(request: web.Request) -> web.Response:
    actor, repository_id = actor_of(request), int(request.match_info["id"])
    sessions_before = before(request, "before")
    events_before = before(request, "events_before")
    chosen = one_of(request, "range", Range) or Range.MONTH
    details = await overview.details(actor, repository_id)
    shown_sessions, older_sessions = cut_page(
        await sessions.list_sessions(
            actor, repository_id=repository_id, limit=_SESSIONS + 1, before_id=sessions_before
        ),
        _SESSIONS,
    )
    shown_events, older_events = cut_page(
        await events.recent(
            actor, repository_id=repository_id, limit=_EVENTS + 1, before_id=events_before
        ),
        _EVENTS,
    )
    last = details.last_session
    return page(
        request,
        "repository.html",
        details=details,
        repository=details.repository,
        health=details.health,
        last_failed=last is not None
        and last.ended_at is not None
        and not overview.ended_well(last),
        may_manage=await repositories.level(actor, repository_id) >= Level.MANAGE,
        inside=await _inside(actor, details, chosen),
        range=chosen,
        ranges=RANGES,
        spans=SPANS,
        sessions=shown_sessions,
        sessions_before=sessions_before,
        older_sessions=older_sessions,
        events=shown_events,
        events_before=events_before,
        older_events=older_events,
    )


@dataclass(frozen=True)
class _Inside:
    """What is known of the repository's content; of one in the trash nobody looks."""

    insight: statistics.Insight
    chart: Chart | None
    upkeeps: list[upkeeps.UpkeepInfo]
    deletions: list[append_only.Deletion]
    ways: list[client_setup.Way]


async def _inside(actor: Actor, details: Details, chosen: Range) -> _Inside | None:
    if details.condition == Condition.DELETED:
        return None
    repository, now = details.repository, clock.now()
    since = _since(chosen, now)
    return _Inside(
        insight=await statistics.insight(repository),
        chart=charts.chart(await trends.history(repository.id, since), since, now),
        upkeeps=await upkeeps.list_upkeeps(actor, repository.id, limit=_UPKEEPS),
        deletions=await append_only.deletions(repository.id),
        ways=client_setup.ways(details),
    )


def _since(chosen: Range, now: datetime) -> datetime | None:
    return now - timedelta(days=_DAYS[chosen]) if chosen in _DAYS else None
