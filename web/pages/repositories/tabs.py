"""The further tabs of a repository."""

from __future__ import annotations

from aiohttp import web

from hive.sentences import N_
from hive.services.overview import repository_tabs
from web.access import actor_of
from web.forms import before, id_of
from web.pages.repositories import frame
from web.text.schedule_words import in_the_readers_words, upcoming

# For how long a pause or a mute may be asked for with one click.
SPANS = {
    "+1d": N_("1 day"),
    "+3d": N_("3 days"),
    "+1w": N_("1 week"),
    "+2w": N_("2 weeks"),
    "+4w": N_("4 weeks"),
}


async def sessions(request: web.Request) -> web.Response:
    cursor = before(request, "before")
    view = await repository_tabs.sessions_tab(actor_of(request), id_of(request), cursor)
    return frame.tab_page(
        request,
        "repositories/sessions.html",
        frame.SESSIONS,
        view.head,
        sessions=view.sessions,
        older=view.older,
        before=cursor,
    )


async def history(request: web.Request) -> web.Response:
    cursor = before(request, "before")
    view = await repository_tabs.history_tab(actor_of(request), id_of(request), cursor)
    return frame.tab_page(
        request,
        "repositories/history.html",
        frame.HISTORY,
        view.head,
        periods=view.periods,
        answered_alarms=view.answered_alarms,
        events=view.events,
        older=view.older,
        before=cursor,
    )


async def settings(request: web.Request) -> web.Response:
    view = await repository_tabs.settings_tab(actor_of(request), id_of(request))
    frame.require_there(view.head)
    health = view.head.details.health
    return frame.tab_page(
        request,
        "repositories/settings.html",
        frame.SETTINGS,
        view.head,
        inside=view,
        insight=view.insight,
        reach=view.reach,
        deletions=view.deletions,
        schedule_words=in_the_readers_words(health),
        upcoming=upcoming(health),
        spans=SPANS,
    )
