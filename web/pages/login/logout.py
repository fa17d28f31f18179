"""Logging out."""

from __future__ import annotations

from aiohttp import web

from hive.services.accounts import browser_sessions
from web.cookies import remove_token, token_of
from web.rendering import see_other


async def submit(request: web.Request) -> web.Response:
    if token := token_of(request):
        await browser_sessions.end(token)
    response = see_other("/login")
    remove_token(request, response)
    return response
