"""What became of each telling: every attempt, and another one where it was given up."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from hive.errors import Conflict
from hive.services.notifications import channels, history
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before, cut_page, id_of, internal_path, query, read_form
from web.pages.notifications.person import names_for, person_of
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_ROWS = 50
_HERE = "/notifications/deliveries"


async def show(request: web.Request) -> web.StreamResponse:
    """One's own; for an administrator everybody's, unless somebody is chosen."""
    actor, cursor = actor_of(request), before(request, "before")
    chosen = (await person_of(request)).user if request.query.get("user") else None
    is_dead = request.query.get("dead") == "yes"
    find = partial(history.deliveries, actor, user=chosen.id if chosen else None, dead=is_dead)
    if csv_file.is_wanted(request):
        fetched = csv_file.pages(lambda last: find(limit=csv_file.PAGE, before_id=last))
        return await csv_file.answer(request, csv_tables.DELIVERIES, fetched)
    rows = await find(limit=_ROWS + 1, before_id=cursor)
    shown, older = cut_page(rows, _ROWS)
    filters = {"user": chosen.name if chosen else None, "dead": "yes" if is_dead else None}
    return page(
        request,
        "notifications/deliveries.html",
        deliveries=shown,
        failing=await channels.list_failing(actor),
        names=await names_for(request),
        filters=filters,
        is_filtered=any(filters.values()),
        newest=query(_HERE, **filters) if cursor is not None else None,
        older=query(_HERE, **filters, before=older) if older is not None else None,
    )


async def repeat(request: web.Request) -> web.Response:
    form = await read_form(request)
    asked = form.get("next", "")
    back = internal_path(asked) if asked.startswith(_HERE) else _HERE
    try:
        await history.repeat(actor_of(request), id_of(request))
    except Conflict as error:
        return done(request, back, sentence(error.message), problem=True)
    return done(request, back, gettext("It is being sent again."))
