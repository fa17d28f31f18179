"""What happened to all repositories that one may see."""

from __future__ import annotations

from aiohttp import web

from hive.event_groups import GROUPS, EventGroup
from hive.services import events
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import before, chosen_id, cut_page, one_of, query
from web.rendering import page

_ROWS = 50


async def show(request: web.Request) -> web.Response:
    actor, cursor = actor_of(request), before(request, "before")
    repository_id, group = chosen_id(request, "repository"), one_of(request, "kind", EventGroup)
    rows = await events.recent(
        actor,
        repository_id=repository_id,
        kinds=GROUPS[group] if group else None,
        limit=_ROWS + 1,
        before_id=cursor,
    )
    shown, older = cut_page(rows, _ROWS)
    filters = {"repository": repository_id, "kind": group}
    return page(
        request,
        "history/events.html",
        events=shown,
        alarms=GROUPS[EventGroup.ALARMS],
        filters=filters,
        is_filtered=any(filters.values()),
        repositories=await catalogue.choices(actor),
        groups=list(EventGroup),
        newest=query("/events", **filters) if cursor is not None else None,
        older=query("/events", **filters, before=older) if older is not None else None,
    )
