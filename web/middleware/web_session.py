"""Who is logged in. A route that does not say it is public is for people with a login."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from hive.services.accounts import browser_sessions
from web.access import is_public
from web.app_keys import USER, Handler
from web.cookies import token_of
from web.forms import internal_path
from web.middleware.reader import read_as
from web.rendering import see_other


@web.middleware
async def require_login(request: web.Request, handler: Handler) -> web.StreamResponse:
    # Paths that lead nowhere have a handler too, which is not public: strangers cannot map us.
    if is_public(request.match_info.handler):
        return await handler(request)
    token = token_of(request)
    user = await browser_sessions.user_of(token) if token else None
    if user is None:
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPUnauthorized
        target = internal_path(request.path_qs)
        return see_other("/login" if target == "/" else f"/login?next={quote(target, safe='')}")
    request[USER] = user
    read_as(request, user)
    return await handler(request)
