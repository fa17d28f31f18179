"""Making the first administrator, by the one-time link that the server prints at its start."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from hive.config.values import is_loopback
from hive.errors import Conflict, InvalidInput
from hive.services.accounts import browser_sessions, first_setup, own_account, passwords
from web import relying_party
from web.access import actor_for, public
from web.app_keys import ADDRESS
from web.cookies import set_token
from web.forms import read_form
from web.rendering import page, see_other


@public
async def show(request: web.Request) -> web.Response:
    await first_setup.require_open_setup(request.match_info["token"])
    return _form(request)


@public
async def submit(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    await first_setup.require_open_setup(token)
    form = await read_form(request)
    name, password = form.get("name", "").strip(), form.get("password", "")
    url = form.get("public_url", "").strip()
    try:
        if password != form.get("repeated", ""):
            raise InvalidInput("The two passwords do not match.", field="repeated")
        user = await first_setup.complete_setup(
            token, name, password, address=request[ADDRESS], public_url=url
        )
    except InvalidInput as error:
        return _form(request, name=name, url=url, problem=error, status=422)
    except Conflict as error:
        return _form(request, name=name, url=url, problem=error, status=409)
    session = await browser_sessions.open_session(
        user, address=request[ADDRESS], user_agent=request.headers.get("User-Agent", "")
    )
    await own_account.learn_time_zone(actor_for(request, user), form.get("timezone", ""))
    response = see_other("/")
    set_token(request, response, session)
    return response


def _form(
    request: web.Request,
    *,
    name: str = "",
    url: str | None = None,
    problem: InvalidInput | Conflict | None = None,
    status: int = 200,
) -> web.Response:
    return page(
        request,
        "login/first_setup.html",
        status=status,
        name=name[:150],
        url=(_address_of(request) if url is None else url)[:300],
        asks_for_url=first_setup.asks_for_public_url(),
        problem=problem,
        least=passwords.MIN_LENGTH,
    )


def _address_of(request: web.Request) -> str:
    """What the reader typed, as others may type it; empty for what only leads to this machine."""
    origin = f"{relying_party.scheme(request)}://{request.host}".lower()
    try:
        host = urlsplit(origin).hostname or "localhost"
    except ValueError:
        return ""
    return "" if is_loopback(host) else origin
