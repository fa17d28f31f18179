"""What imports leave behind: a staged one is discarded, limits in a config are cleared."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive.errors import Conflict
from hive.services.lifecycle import config_limits, staged_imports
from web.access import actor_of
from web.forms import id_of
from web.rendering import done
from web.text.i18n import gettext, sentence

_PATIENCE = 15  # seconds; deleting goes on without the browser


async def discard(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}#room"
    try:
        async with asyncio.timeout(_PATIENCE):
            await staged_imports.discard(actor_of(request), repository_id)
    except TimeoutError:
        message = gettext(
            "This takes a while and continues in the background; the events will show the result."
        )
        return done(request, here, message)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    return done(request, here, gettext("The staged import was deleted."))


async def clear_limits(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}#room"
    try:
        former = await config_limits.clear(actor_of(request), repository_id)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    message = (
        gettext("The limits in the config were cleared; the former config is kept.")
        if former.in_words
        else gettext("The config limits nothing.")
    )
    return done(request, here, message)
