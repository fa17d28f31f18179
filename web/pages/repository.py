"""One repository: how it is, how to reach it, its keys, and what happened."""

from __future__ import annotations

from aiohttp import web

from hive.kinds import Level
from hive.services import events, overview, repositories, sessions
from web.access import actor_of
from web.forms import before, cut_page
from web.rendering import page

_SESSIONS = 20
_EVENTS = 20


async def show(request: web.Request) -> web.Response:
    actor, repository_id = actor_of(request), int(request.match_info["id"])
    sessions_before = before(request, "before")
    events_before = before(request, "events_before")
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
        health=details.health,
        last_failed=last is not None
        and last.ended_at is not None
        and not overview.ended_well(last),
        repository=details.repository,
        may_manage=await repositories.level(actor, repository_id) >= Level.MANAGE,
        sessions=shown_sessions,
        sessions_before=sessions_before,
        older_sessions=older_sessions,
        events=shown_events,
        events_before=events_before,
        older_events=older_events,
    )
