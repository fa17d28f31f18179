"""What happened to all repositories that one may see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from aiohttp import web

from hive.event_groups import GROUPS, EventGroup
from hive.services import events
from hive.services.events import EventInfo
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before, cut_page, one_of, query
from web.rendering import page
from web.repository_filter import repository_filter

_ROWS = 50


async def show(request: web.Request) -> web.StreamResponse:
    actor, cursor = actor_of(request), before(request, "before")
    repository = await repository_filter(request, actor)
    group = one_of(request, "kind", EventGroup)
    rows: Sequence[EventInfo] = []
    kinds = GROUPS[group] if group else None
    find = partial(events.recent, actor, repository_id=repository.repository_id, kinds=kinds)
    if csv_file.is_wanted(request) and not repository.problem:
        fetched = csv_file.pages(lambda last: find(limit=csv_file.PAGE, before_id=last))
        return await csv_file.answer(request, csv_tables.EVENTS, fetched)
    if not repository.problem:
        rows = await find(limit=_ROWS + 1, before_id=cursor)
    shown, older = cut_page(rows, _ROWS)
    filters = {"repository": repository.text, "kind": group}
    return page(
        request,
        "history/events.html",
        events=shown,
        alarms=GROUPS[EventGroup.ALARMS],
        filters=filters,
        is_filtered=any(filters.values()),
        repository=repository,
        groups=list(EventGroup),
        newest=query("/events", **filters) if cursor is not None else None,
        older=query("/events", **filters, before=older) if older is not None else None,
    )
