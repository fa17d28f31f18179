"""Having the server check, compact or measure a repository now, or stop that."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive.errors import Conflict
from hive.kinds import UpkeepKind
from hive.services.measurements import measuring
from hive.services.upkeep import queue, stopping
from web.access import actor_of
from web.forms import id_of, internal_path, sent
from web.rendering import done
from web.text.i18n import gettext, sentence

_PATIENCE = 15  # seconds; measuring goes on without the browser


async def check(request: web.Request) -> web.Response:
    return await _ask(request, UpkeepKind.CHECK, is_confirmed=False)


async def compact(request: web.Request) -> web.Response:
    form = await sent(request)
    return await _ask(request, UpkeepKind.COMPACT, is_confirmed=form.has("confirmed"))


async def stop_check(request: web.Request) -> web.Response:
    return await _stop(request, UpkeepKind.CHECK)


async def stop_compaction(request: web.Request) -> web.Response:
    return await _stop(request, UpkeepKind.COMPACT)


async def _stop(request: web.Request, kind: UpkeepKind) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}#integrity"
    try:
        await stopping.stop(actor_of(request), repository_id, kind)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    return done(request, here, gettext("Stopped."))


async def _ask(request: web.Request, kind: UpkeepKind, *, is_confirmed: bool) -> web.Response:
    repository_id = id_of(request)
    back = (await sent(request)).text("back")
    here = internal_path(back) if back else f"/repositories/{repository_id}#integrity"
    try:
        await queue.ask(actor_of(request), repository_id, kind, is_confirmed=is_confirmed)
    except Conflict as error:
        return done(request, here, sentence(error.message), problem=True)
    message = gettext("Queued. It starts when no backup is running; the result appears here.")
    return done(request, here, message)


async def measure(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    here = f"/repositories/{repository_id}#size"
    try:
        async with asyncio.timeout(_PATIENCE):
            await measuring.measure_now(actor_of(request), repository_id)
    except TimeoutError:
        return done(
            request, here, gettext("Measuring takes a while and continues in the background.")
        )
    return done(request, here, gettext("The repository was measured."))
