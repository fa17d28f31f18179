"""What somebody was told, and how far each telling came."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from hive.services.notifications import history
from hive.services.overview.received import received
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before
from web.pages.notifications.person import names_for, person_of
from web.rendering import page

_HERE = "/notifications"


async def show(request: web.Request) -> web.StreamResponse:
    actor, cursor, person = actor_of(request), before(request, "before"), await person_of(request)
    if csv_file.is_wanted(request):
        find = partial(history.notifications, actor, user=person.user.id, limit=csv_file.PAGE)
        fetched = csv_file.pages(lambda last: find(before_id=last))
        return await csv_file.answer(request, csv_tables.NOTIFICATIONS, fetched)
    found = await received(actor, person.user.id, before_id=cursor)
    return page(
        request,
        "notifications/told.html",
        notifications=found.notifications,
        person=person,
        failing=found.failing,
        mail=found.mail,
        can_be_told=found.can_be_told,
        names=await names_for(request),
        visible=found.repositories,
        newest=person.path(_HERE) if cursor is not None else None,
        older=person.path(_HERE, before=found.older) if found.older is not None else None,
    )
