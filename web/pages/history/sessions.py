"""Sessions of all repositories that one may see, those that run first; and one session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from hive.kinds import Operation
from hive.services import events
from hive.services.permissions import manageable_ids
from hive.services.sessions import infos as session_infos
from hive.services.sessions import progress, record
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before, cut_page, id_of, internal_path, one_of, query, read_form
from web.rendering import done, page
from web.repository_filter import repository_filter
from web.text.i18n import gettext

_ROWS = 50
_LIVE = 200
_EVENTS = 50
_MAX_KEY = 200


async def show_all(request: web.Request) -> web.StreamResponse:
    actor, cursor = actor_of(request), before(request, "before")
    state = one_of(request, "state", SessionState)
    repository = await repository_filter(request, actor)
    chosen: dict[str, Any] = {
        "repository_id": repository.repository_id,
        "operation": one_of(request, "operation", Operation),
        "key": request.query.get("key", "").strip()[:_MAX_KEY] or None,
    }
    if csv_file.is_wanted(request) and not repository.problem:
        fetched = csv_file.pages(
            lambda last: session_infos.list_sessions(
                actor, **chosen, state=state, limit=csv_file.PAGE, before_id=last
            )
        )
        return await csv_file.answer(request, csv_tables.SESSIONS, fetched)
    running: list[SessionInfo] = []
    if cursor is None and state in (None, SessionState.LIVE) and not repository.problem:
        running = await session_infos.list_sessions(
            actor, **chosen, state=SessionState.LIVE, limit=_LIVE
        )
    ended: Sequence[SessionInfo] = []
    older = None
    if state != SessionState.LIVE and not repository.problem:
        rows = await session_infos.list_sessions(
            actor,
            **chosen,
            state=state or SessionState.ENDED,
            limit=_ROWS + 1,
            before_id=cursor,
        )
        ended, older = cut_page(rows, _ROWS)
    filters = {**chosen, "repository": repository.text, "state": state}
    del filters["repository_id"]
    return page(
        request,
        "history/sessions.html",
        sessions=progress.with_progress([*running, *ended]),
        filters=filters,
        is_filtered=any(filters.values()),
        manageable=await manageable_ids(actor, {one.repository_id for one in running}),
        repository=repository,
        operations=list(Operation),
        states=list(SessionState),
        newest=query("/sessions", **filters) if cursor is not None else None,
        older=query("/sessions", **filters, before=older) if older is not None else None,
    )


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    (session,) = progress.with_progress([await session_infos.get_session(actor, id_of(request))])
    may_manage = await manageable_ids(actor, [session.repository_id])
    return page(
        request,
        "history/session.html",
        session=session,
        events=await events.recent(actor, session_id=session.id, limit=_EVENTS),
        may_end=session.ended_at is None and bool(may_manage),
    )


async def end(request: web.Request) -> web.Response:
    form = await read_form(request)
    await record.kill(actor_of(request), id_of(request))
    return done(request, internal_path(form.get("next")), gettext("The session is being ended."))
