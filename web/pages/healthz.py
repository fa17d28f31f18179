"""For monitors, /healthz: is the server as a whole as it must be, and if not, what is not."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.access import public
from web.app_keys import HEALTH

_PATIENCE = 9  # seconds; a check that hangs is an answer too


@public
async def show(request: web.Request) -> web.Response:
    try:
        async with asyncio.timeout(_PATIENCE):
            problems = list(await request.app[HEALTH]())
    except TimeoutError:
        problems = ["the health check took too long"]
    if problems:
        return web.Response(status=503, text="\n".join(problems))
    return web.Response(text="ok")
