"""Making the first administrator, by the one-time link that the server prints at its start."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, InvalidInput
from hive.services.accounts import browser_sessions, passwords
from web.access import public
from web.app_keys import ADDRESS
from web.cookies import set_token
from web.forms import read_form
from web.rendering import page, see_other


@public
async def show(request: web.Request) -> web.Response:
    await browser_sessions.require_open_setup(request.match_info["token"])
    return _form(request)


@public
async def submit(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    await browser_sessions.require_open_setup(token)
    form = await read_form(request)
    name, password = form.get("name", "").strip(), form.get("password", "")
    try:
        if password != form.get("repeated", ""):
            raise InvalidInput("The two passwords are not the same.", field="repeated")
        user = await browser_sessions.complete_setup(
            token, name, password, address=request[ADDRESS]
        )
    except InvalidInput as error:
        return _form(request, name=name, problem=error, status=422)
    except Conflict as error:
        return _form(request, name=name, problem=error, status=409)
    session = await browser_sessions.open_session(
        user, address=request[ADDRESS], user_agent=request.headers.get("User-Agent", "")
    )
    response = see_other("/")
    set_token(request, response, session)
    return response


def _form(
    request: web.Request,
    *,
    name: str = "",
    problem: InvalidInput | Conflict | None = None,
    status: int = 200,
) -> web.Response:
    return page(
        request,
        "login/first_setup.html",
        status=status,
        name=name[:150],
        problem=problem,
        least=passwords.MIN_LENGTH,
    )
