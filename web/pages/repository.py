"""One repository: how it is, how to reach it, its keys, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from aiohttp import web

from hive.services import events, overview, sessions
from web.access import actor_of
from web.forms import before
from web.rendering import page

_SESSIONS = 20
_EVENTS = 20


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


T = TypeVar("T", bound=_HasId)


async def show(request: web.Request) -> web.Response:
    actor, repository_id = actor_of(request), int(request.match_info["id"])
    sessions_before = before(request, "before")
    events_before = before(request, "events_before")
    details = await overview.details(actor, repository_id)
    shown_sessions, older_sessions = _cut(
        await sessions.list_sessions(
            actor, repository_id=repository_id, limit=_SESSIONS + 1, before_id=sessions_before
        ),
        _SESSIONS,
    )
    shown_events, older_events = _cut(
        await events.recent(
            actor, repository_id=repository_id, limit=_EVENTS + 1, before_id=events_before
        ),
        _EVENTS,
    )
    return page(
        request,
        "repository.html",
        details=details,
        repository=details.repository,
        sessions=shown_sessions,
        sessions_before=sessions_before,
        older_sessions=older_sessions,
        events=shown_events,
        events_before=events_before,
        older_events=older_events,
    )


def _cut(rows: Sequence[T], count: int) -> tuple[Sequence[T], int | None]:
    """The first `count` rows, and the cursor to what is older, if anything is."""
    shown = rows[:count]
    return shown, shown[-1].id if len(rows) > count else None
