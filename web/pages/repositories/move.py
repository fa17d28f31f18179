"""Moving a repository to another location: what it means, how far it is, and leaving it."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, InvalidInput
from hive.services.lifecycle import moves
from hive.services.lifecycle.moves import MovePreview
from hive.services.overview import choices
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    """First what it means, then the move itself."""
    actor, repository_id, form = actor_of(request), id_of(request), await sent(request)
    await moves.require_movable(actor, repository_id)
    location = form.text("location")
    found = None
    if not location:
        form.complain(InvalidInput("Choose a location.", field="location"))
    else:
        with form.asking():
            if not form.has("confirmed"):
                found = await moves.preview(actor, repository_id, location)
            else:
                move = await moves.ask(actor, repository_id, location)
                message = gettext("It is being moved to %(location)s.", location=move.target)
                return done(request, f"/repositories/{repository_id}/move", message)
    return await _page(request, form, found)


async def cancel(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}/move"
    try:
        move = await moves.cancel(actor_of(request), repository_id)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    return done(request, here, gettext("It stays at %(location)s.", location=move.former))


async def _page(request: web.Request, form: Form, found: MovePreview | None = None) -> web.Response:
    actor, repository_id = actor_of(request), id_of(request)
    await moves.require_movable(actor, repository_id)
    info = await catalogue.find_current(actor, repository_id)
    return page(
        request,
        "repositories/move.html",
        status=form.status,
        repository=info,
        form=form,
        found=found,
        move=await moves.last_of(actor, repository_id),
        progress=moves.progress(repository_id),
        locations=await choices.other_locations(actor, info.location),
    )
