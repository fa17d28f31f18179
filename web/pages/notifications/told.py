"""What somebody was told, and how far each telling came."""

from __future__ import annotations

from aiohttp import web

from hive.services.overview.received import received
from web.access import actor_of
from web.forms import before
from web.pages.notifications.person import names_for, person_of
from web.rendering import page

_HERE = "/notifications"


async def show(request: web.Request) -> web.Response:
    actor, cursor, person = actor_of(request), before(request, "before"), await person_of(request)
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
