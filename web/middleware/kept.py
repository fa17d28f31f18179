"""Changes are refused while they would be gone with the server: its database file is lost."""

from __future__ import annotations

from aiohttp import web

from hive.services.server import database_watch
from web.app_keys import Handler

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@web.middleware
async def refuse_what_is_lost(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method not in _READING:
        database_watch.require_kept()
    return await handler(request)
