"""What somebody was told, and how far each telling came."""

from __future__ import annotations

from aiohttp import web

from hive.services.notifications import channels, history, rules
from hive.services.outbox import condition
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import before, cut_page
from web.pages.notifications.person import names_for, person_of
from web.rendering import page

_ROWS = 50
_HERE = "/notifications"


async def show(request: web.Request) -> web.Response:
    actor, cursor, person = actor_of(request), before(request, "before"), await person_of(request)
    rows = await history.notifications(
        actor, user=person.user.id, limit=_ROWS + 1, before_id=cursor
    )
    shown, older = cut_page(rows, _ROWS)
    return page(
        request,
        "notifications/told.html",
        notifications=shown,
        person=person,
        failing=[
            one
            for one in await channels.list_channels(actor)
            if one.owner == person.user.name and one.enabled and one.condition.fails
        ],
        mail=await condition.get((None, person.user.id)),
        can_be_told=await rules.can_be_told(actor, person.user.id),
        names=await names_for(request),
        visible={one.id: one.name for one in await catalogue.choices(actor)},
        newest=person.path(_HERE) if cursor is not None else None,
        older=person.path(_HERE, before=older) if older is not None else None,
    )
