"""Style, script and icon."""

from __future__ import annotations

from aiohttp import web

from web.access import public
from web.app_keys import ASSETS


@public
async def show(request: web.Request) -> web.Response:
    return request.app[ASSETS].answer(request.match_info["name"], request.query.get("v"))
