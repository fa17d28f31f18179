"""Logging in with name and password."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Forbidden
from hive.services import accounts, web_sessions
from web.access import public
from web.cookies import set_token, token_of
from web.forms import internal_path, read_form
from web.i18n import gettext
from web.keys import ADDRESS
from web.rendering import page, see_other


@public
async def show(request: web.Request) -> web.Response:
    target = internal_path(request.query.get("next"))
    token = token_of(request)
    if token and await web_sessions.user_of(token):
        return see_other(target)
    return await _form(request, target)


@public
async def submit(request: web.Request) -> web.Response:
    form = await read_form(request)
    target, name = internal_path(form.get("next")), form.get("name", "").strip()
    try:
        token = await web_sessions.log_in(
            name,
            form.get("password", ""),
            address=request[ADDRESS],
            user_agent=request.headers.get("User-Agent", ""),
        )
    except Forbidden as refused:
        return await _form(request, target, name=name, problem=refused.message, status=403)
    if token is None:
        problem = gettext("Name or password is wrong.")
        return await _form(request, target, name=name, problem=problem, status=401)
    # The session of before, whosever it was, does not live on beside the new one.
    if former := token_of(request):
        await web_sessions.end(former)
    response = see_other(target)
    set_token(request, response, token)
    return response


async def _form(
    request: web.Request,
    target: str,
    *,
    name: str = "",
    problem: str | None = None,
    status: int = 200,
) -> web.Response:
    return page(
        request,
        "login.html",
        status=status,
        next=target,
        name=name[:150],
        problem=problem,
        needs_setup=not await accounts.administrator_exists(),
    )
