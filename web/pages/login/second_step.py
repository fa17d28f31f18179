"""The second step of logging in: a code of the app, a passkey or a recovery code."""

from __future__ import annotations

import json

from aiohttp import web

from hive.errors import InvalidInput
from hive.sentences import N_
from hive.services.accounts import login
from hive.services.accounts.login import LoggedIn
from web.access import public, visitor_of
from web.cookies import waiting_login_of
from web.forms import Form, internal_path, sent
from web.pages.login.password import log_in, with_target
from web.relying_party import relying_party
from web.rendering import page, see_other

_WRONG = {
    "code": N_("This code is wrong, or was used already. Wait for the next one."),
    "recovery_code": N_("This is none of your recovery codes, or was used already."),
    "passkey": N_("This passkey was not accepted. Try again, or use another way."),
}


@public
async def show(request: web.Request) -> web.Response:
    return await _page(request, internal_path(request.query.get("next")), Form({}))


@public
async def submit(request: web.Request) -> web.Response:
    form = await sent(request)
    target = internal_path(form.values.get("next"))
    way = next((name for name in _WRONG if name in form.values), "code")
    outcome = await _finish(request, way, form.text(way))
    if outcome is not None:
        return await log_in(request, outcome, target, form.text("timezone"))
    form.complain(InvalidInput(_WRONG[way], field=None if way == "passkey" else way))
    return await _page(request, target, form)


async def _finish(request: web.Request, way: str, given: str) -> LoggedIn | None:
    token, visitor = waiting_login_of(request) or "", visitor_of(request)
    if way == "recovery_code":
        return await login.finish_with_recovery_code(token, given, visitor)
    if way == "code":
        return await login.finish_with_code(token, given, visitor)
    party = relying_party(request)
    if party is None:
        return None
    return await login.finish_with_passkey(token, party, given, visitor)


async def _page(request: web.Request, target: str, form: Form) -> web.Response:
    token, party = waiting_login_of(request) or "", relying_party(request)
    factors = await login.factors(token)
    if factors is None:
        return see_other(with_target("/login", target, again="yes"))
    passkey = await login.passkey_options(token, party) if party else None
    return page(
        request,
        "login/second_step.html",
        status=form.status,
        next=target,
        factors=factors,
        passkey=json.dumps(passkey) if passkey else None,
        form=form,
    )
