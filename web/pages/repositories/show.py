"""One repository: how it is, how to reach it, its keys, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from aiohttp import web

from hive import clock
from hive.kinds import ArchiveCreated, Level, Mode, RepositoryState
from hive.services import events
from hive.services.alarms import answers
from hive.services.health import proposals
from hive.services.health.states import BAD, Condition
from hive.services.measurements import statistics, trends
from hive.services.notifications import reach
from hive.services.overview import occupancy
from hive.services.overview.details import Details, find_details
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, former_paths
from hive.services.repositories.former_paths import FormerPathInfo
from hive.services.sessions import progress, record
from hive.services.sessions.filters import SessionState
from hive.services.sessions.record import SessionInfo
from hive.services.upkeep import append_only
from hive.services.upkeep import queue as upkeeps
from web import charts
from web.access import actor_of
from web.charts import Chart
from web.forms import before, cut_page, one_of
from web.rendering import page, tab_icon
from web.setup_guides import clients
from web.text.i18n import N_
from web.text.schedule_words import in_the_readers_words, upcoming

_SESSIONS = 20
_EVENTS = 20
_UPKEEPS = 3
_ANSWERED = 5
_FRESH = timedelta(hours=6)  # for so long the first backup is news
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
    details = await find_details(actor, repository_id)
    shown_sessions, older_sessions = cut_page(
        await record.list_sessions(
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
    has_failed = last is not None and last.state == SessionState.BADLY
    is_bad = has_failed or details.health.state in BAD
    may_manage = await catalogue.level(actor, repository_id) >= Level.MANAGE
    return page(
        request,
        "repositories/show.html",
        icon=tab_icon(is_bad=is_bad, is_live=last is not None and last.state == SessionState.LIVE),
        is_bad=is_bad,
        arrival=_arrival(
            details, shown_sessions, are_all=sessions_before is None and older_sessions is None
        ),
        details=details,
        repository=details.repository,
        health=details.health,
        reach=await reach.reach(actor, repository_id),
        last_failed=has_failed,
        may_manage=may_manage,
        **await _watched(actor, details, may_manage=may_manage),
        inside=await _inside(actor, details, chosen),
        range=chosen,
        ranges=RANGES,
        spans=SPANS,
        sessions=progress.with_progress(shown_sessions),
        sessions_before=sessions_before,
        older_sessions=older_sessions,
        events=shown_events,
        events_before=events_before,
        older_events=older_events,
    )


async def _watched(actor: Actor, details: Details, *, may_manage: bool) -> dict[str, Any]:
    """What is alarming, and when backups are expected."""
    health = details.health
    waiting = [one for one in health.alarms if one.is_critical]
    offers = await answers.offers(actor, waiting)
    answered = await answers.list_alarms(actor, repository_id=details.repository.id, answered=True)
    is_open = details.condition == Condition.UNWATCHED and may_manage
    return {
        "open_alarms": [(one, offers[one.id]) for one in waiting],
        "answered_alarms": answered[:_ANSWERED],
        "proposal": await proposals.observed(details.repository.id) if is_open else None,
        "schedule_words": in_the_readers_words(health),
        "upcoming": upcoming(health),
    }


class Arrival(StrEnum):
    """How far a repository is on its way to the first backup."""

    WAITING = "waiting"  # nobody was there yet
    CONNECTED = "connected"
    BACKED_UP = "backed up"  # just now, for the first time


def _arrival(details: Details, shown: Sequence[SessionInfo], *, are_all: bool) -> Arrival | None:
    """None where it was there long ago, or nothing is to come. `shown`: the newest sessions."""
    if details.condition == Condition.DELETED or details.repository.mode == Mode.EXPORT:
        return None
    if details.last_session is None:
        return Arrival.WAITING if details.repository.state == RepositoryState.NEW else None
    made = [one for one in shown if one.archive_created == ArchiveCreated.YES]
    if made:
        is_first = are_all and len(made) == 1 and clock.now() - made[0].started_at < _FRESH
        return Arrival.BACKED_UP if is_first else None
    is_on_its_way = details.repository.last_backup_at is None and are_all
    return Arrival.CONNECTED if is_on_its_way else None


@dataclass(frozen=True)
class _Inside:
    """What is known of the repository's content; of one in the trash nobody looks."""

    insight: statistics.Insight
    room: occupancy.Occupancy
    chart: Chart | None
    upkeeps: list[upkeeps.UpkeepInfo]
    deletions: list[append_only.Deletion]
    ways: list[clients.Way]
    former_paths: list[FormerPathInfo]


async def _inside(actor: Actor, details: Details, chosen: Range) -> _Inside | None:
    if details.condition == Condition.DELETED:
        return None
    repository, now = details.repository, clock.now()
    since = _since(chosen, now)
    return _Inside(
        insight=await statistics.insight(repository),
        room=await occupancy.look(actor, repository),
        chart=charts.chart(await trends.history(repository.id, since), since, now),
        upkeeps=await upkeeps.list_upkeeps(actor, repository.id, limit=_UPKEEPS),
        deletions=await append_only.deletions(repository.id),
        ways=clients.ways(details),
        former_paths=await former_paths.list_former_paths(actor, repository.id),
    )


def _since(chosen: Range, now: datetime) -> datetime | None:
    return now - timedelta(days=_DAYS[chosen]) if chosen in _DAYS else None
