"""Deleted repositories, and bringing them back."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict
from hive.services.lifecycle import trash
from hive.services.repositories import catalogue
from hive.services.rollback import undo
from web.access import actor_of
from web.forms import id_of
from web.rendering import done, page
from web.text.i18n import gettext, sentence


async def show(request: web.Request) -> web.Response:
    return page(
        request,
        "repositories/trash.html",
        trashed=await trash.list_trash(actor_of(request)),
        undone=await undo.in_trash(actor_of(request)),
        days=trash.kept_for().days,
    )


async def restore(request: web.Request) -> web.Response:
    actor, repository_id = actor_of(request), id_of(request)
    info = await catalogue.find_repository_by_id(actor, repository_id)
    try:
        await trash.restore_repository(actor, repository_id)
    except Conflict as error:
        return done(request, "/trash", sentence(error.message), problem=True)
    message = gettext("The repository %(name)s is back.", name=info.name)
    return done(request, f"/repositories/{repository_id}", message)
