"""One repository: how it is, how to reach it, its keys, and what happened."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from aiohttp import web

from hive import clock
from hive.sentences import N_
from hive.services.overview.repository_view import RepositoryViewQuery, repository_view
from hive.services.sessions.filters import SessionState
from web import charts
from web.access import actor_of
from web.forms import before, id_of, one_of
from web.rendering import page, tab_icon
from web.text.schedule_words import in_the_readers_words, upcoming

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
    sessions_before = before(request, "before")
    events_before = before(request, "events_before")
    chosen = one_of(request, "range", Range) or Range.MONTH
    now = clock.now()
    since = now - timedelta(days=_DAYS[chosen]) if chosen in _DAYS else None
    query = RepositoryViewQuery(
        sessions_before=sessions_before, events_before=events_before, sizes_since=since
    )
    view = await repository_view(actor_of(request), id_of(request), query)
    details, content = view.details, view.content
    last = details.last_session
    return page(
        request,
        "repositories/show.html",
        icon=tab_icon(
            is_bad=view.is_bad, is_live=last is not None and last.state == SessionState.LIVE
        ),
        is_bad=view.is_bad,
        arrival=view.arrival,
        details=details,
        repository=details.repository,
        health=details.health,
        reach=view.reach,
        last_failed=view.last_failed,
        may_manage=view.may_manage,
        open_alarms=view.open_alarms,
        answered_alarms=view.answered_alarms,
        proposal=view.proposal,
        schedule_words=in_the_readers_words(details.health),
        upcoming=upcoming(details.health),
        inside=content,
        chart=charts.chart(content.history, since, now) if content is not None else None,
        range=chosen,
        ranges=RANGES,
        spans=SPANS,
        sessions=view.sessions,
        sessions_before=sessions_before,
        older_sessions=view.older_sessions,
        events=view.events,
        events_before=events_before,
        older_events=view.older_events,
    )
