"""Who changed what."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from hive.services import audit
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before, cut_page, query
from web.rendering import page

_ROWS = 100
_MAX_NAME, _MAX_ACTION = 150, 60  # as long as they are stored


async def show(request: web.Request) -> web.StreamResponse:
    actor, cursor = actor_of(request), before(request, "before")
    by = request.query.get("by", "").strip()[:_MAX_NAME] or None
    action = request.query.get("action", "")[:_MAX_ACTION] or None
    find = partial(audit.recent, actor, by=by, action=action)
    if csv_file.is_wanted(request):
        fetched = csv_file.pages(lambda last: find(limit=csv_file.PAGE, before_id=last))
        return await csv_file.answer(request, csv_tables.AUDIT, fetched)
    rows = await find(limit=_ROWS + 1, before_id=cursor)
    shown, older = cut_page(rows, _ROWS)
    filters = {"by": by, "action": action}
    return page(
        request,
        "admin/audit.html",
        entries=shown,
        actions=await audit.actions(actor),
        filters=filters,
        is_filtered=any(filters.values()),
        newest=query("/admin/audit", **filters) if cursor is not None else None,
        older=query("/admin/audit", **filters, before=older) if older is not None else None,
    )
