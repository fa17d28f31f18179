"""Who is logged in. A route that does not say it is public is for people with a login."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from hive.errors import Forbidden
from hive.services.accounts import browser_sessions, second_factor
from web import kept_form
from web.access import is_public
from web.app_keys import USER, Handler
from web.cookies import token_of
from web.forms import internal_path
from web.middleware.reader import read_as
from web.pages.login import password
from web.rendering import see_other

_READING = ("GET", "HEAD")
# What somebody does who has yet to set up the second factor that is required of them.
_SETTING_UP = ("/account/second-factor", "/account/passkeys", "/logout")


@web.middleware
async def require_login(request: web.Request, handler: Handler) -> web.StreamResponse:
    # Paths that lead nowhere have a handler too, which is not public: strangers cannot map us.
    if is_public(request.match_info.handler):
        return await handler(request)
    token = token_of(request)
    user = await browser_sessions.user_of(token) if token else None
    if user is None:
        return await _ask_to_log_in(request)
    request[USER] = user
    read_as(request, user)
    if not _is_setting_up(request.path) and await second_factor.is_missing(user):
        if request.method not in _READING:
            raise Forbidden("Set up a second factor first: it is required of you.")
        return see_other(_SETTING_UP[0])
    return await handler(request)


def _is_setting_up(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in _SETTING_UP)


async def _ask_to_log_in(request: web.Request) -> web.StreamResponse:
    if request.method in _READING:
        target = internal_path(request.path_qs)
        return see_other("/login" if target == "/" else f"/login?next={quote(target, safe='')}")
    kept = await kept_form.read(request)
    if kept is None:
        raise web.HTTPUnauthorized
    return await password.ask_again(request, kept)
