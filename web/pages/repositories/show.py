"""One repository, the first tab: how it is, how it grows, and what happened lately."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from aiohttp import web

from hive import clock
from hive.sentences import N_
from hive.services.overview.repository_view import (
    Content,
    RepositoryView,
    RepositoryViewQuery,
    repository_view,
)
from web import charts, day_strip, size_chart
from web.access import actor_of
from web.forms import before, id_of, one_of
from web.pages.repositories import frame, tabs
from web.rendering import moved
from web.size_chart import Chart, Outlook
from web.text.i18n import reader
from web.text.schedule_words import in_the_readers_words


class Range(StrEnum):
    """Of what time the chart tells."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


RANGES = {
    Range.DAY: N_("day"),
    Range.WEEK: N_("week"),
    Range.MONTH: N_("month"),
    Range.QUARTER: N_("90 days"),
    Range.YEAR: N_("year"),
    Range.ALL: N_("all"),
}
_DAYS = {Range.DAY: 1, Range.WEEK: 7, Range.MONTH: 30, Range.QUARTER: 90, Range.YEAR: 365}


async def show(request: web.Request) -> web.Response:
    if (path := _former_address(request)) is not None:
        return moved(path)
    chosen = one_of(request, "range", Range) or Range.QUARTER
    now = clock.now()
    since = now - timedelta(days=_DAYS[chosen]) if chosen in _DAYS else None
    zone = reader().shown_zone
    query = RepositoryViewQuery(sizes_since=since, zone=zone)
    view = await repository_view(actor_of(request), id_of(request), query)
    content = view.content
    history = content.history if content is not None else None
    return frame.tab_page(
        request,
        "repositories/show.html",
        frame.OVERVIEW,
        view.head,
        answered_alarms=view.answered_alarms,
        arrival=view.arrival,
        reach=view.reach,
        schedule_words=in_the_readers_words(view.head.details.health),
        inside=content,
        took_last=_took_last(view),
        quota_percent=_quota_percent(view),
        days=None
        if content is None or history is None
        else day_strip.day_strip(content.strip, history.backups, zone),
        day_width=day_strip.WIDTH,
        day_height=charts.CELL_HEIGHT,
        chart=_chart(view, content, since, now),
        range=chosen,
        ranges=RANGES,
        spans=tabs.SPANS,
        sessions=view.sessions,
        has_more_sessions=view.has_more_sessions,
    )


def _former_address(request: web.Request) -> str | None:
    """Where the further pages of both lists are now, which were here once."""
    here = request.path
    if (number := before(request, "before")) is not None:
        return f"{here}/sessions?before={number}"
    if (number := before(request, "events_before")) is not None:
        return f"{here}/history?before={number}#events"
    return None


def _chart(
    view: RepositoryView, content: Content | None, since: datetime | None, now: datetime
) -> Chart | None:
    if content is None:
        return None
    outlook = Outlook(
        quota_bytes=view.head.details.repository.quota_bytes,
        bytes_per_week=content.insight.growth_bytes_per_week,
        quota_full_on=content.insight.quota_full_on,
    )
    return size_chart.chart(content.history, since, now, outlook)


def _took_last(view: RepositoryView) -> timedelta | None:
    """How long the last backup took, where a session of ours made it."""
    at = view.head.details.repository.last_backup_at
    made = view.content.history.backups if view.content is not None else ()
    return next((one.took for one in reversed(made) if one.at == at), None)


def _quota_percent(view: RepositoryView) -> int | None:
    """How much of its own quota the repository uses, as the quota counts."""
    if view.content is None:
        return None
    own = (one for one in view.content.room.quotas if one.quota.scope == "repository")
    use = next(own, None)
    if use is None or not use.quota.limit_bytes:
        return None
    return round(100 * use.used_bytes / use.quota.limit_bytes)
