"""Logging in with name and password, or with a passkey."""

from __future__ import annotations

import json

from aiohttp import web

from hive.errors import Forbidden
from hive.services.accounts import browser_sessions, login, own_account, passkeys, users
from hive.services.accounts.login import LoggedIn, SecondStep
from web import cookies, kept_form
from web.access import actor_for, public, visitor_of
from web.app_keys import KEPT_FORMS
from web.forms import internal_path, query, read_form
from web.kept_form import KeptForm
from web.middleware.reader import keep_look
from web.pages.login import resume
from web.relying_party import relying_party
from web.rendering import page, see_other
from web.text.i18n import gettext, sentence


@public
async def show(request: web.Request) -> web.Response:
    target = internal_path(request.query.get("next"))
    token = cookies.token_of(request)
    if token and await browser_sessions.user_of(token):
        return see_other(target)
    return await _form(request, target)


@public
async def submit(request: web.Request) -> web.Response:
    form = await read_form(request)
    target, name = internal_path(form.get("next")), form.get("name", "").strip()
    kept = kept_form.parse(form.get(kept_form.FIELD, ""))
    try:
        outcome = await login.begin(name, form.get("password", ""), visitor_of(request))
    except Forbidden as refused:
        problem = sentence(refused.message)
        return await _form(request, target, name=name, problem=problem, status=403, kept=kept)
    if outcome is None:
        problem = gettext("Name or password is wrong.")
        return await _form(request, target, name=name, problem=problem, status=401, kept=kept)
    if isinstance(outcome, SecondStep):
        response = see_other(with_target("/login/second", target))
        seconds = int(login.LIFE.total_seconds())
        cookies.set_waiting_login(request, response, outcome.token, seconds)
        if kept is not None:
            request.app[KEPT_FORMS].add(outcome.token, kept)
        return response
    return await log_in(request, outcome, target, form.get("timezone", ""), kept)


@public
async def submit_passkey(request: web.Request) -> web.Response:
    form = await read_form(request)
    target, party = internal_path(form.get("next")), relying_party(request)
    kept = kept_form.parse(form.get(kept_form.FIELD, ""))
    outcome = None
    if party is not None:
        outcome = await login.log_in_with_passkey(
            party, form.get("passkey", ""), visitor_of(request)
        )
    if outcome is None:
        problem = gettext("This passkey was not accepted. Log in with name and password.")
        return await _form(request, target, problem=problem, status=401, kept=kept)
    return await log_in(request, outcome, target, form.get("timezone", ""), kept)


async def ask_again(request: web.Request, kept: KeptForm) -> web.Response:
    """The login page for a form that was sent without a login, with the form in it."""
    return await _form(request, "/", status=401, kept=kept)


async def log_in(
    request: web.Request,
    outcome: LoggedIn,
    target: str,
    timezone: str,
    kept: KeptForm | None = None,
) -> web.Response:
    """Go on as whoever the new session belongs to, with the form that was kept for them.

    `timezone` is the browser's.
    """
    token = outcome.token
    # The session of before, whosever it was, does not live on beside the new one.
    if former := cookies.token_of(request):
        await browser_sessions.end(former)
    forms = request.app[KEPT_FORMS]
    if (waiting := cookies.waiting_login_of(request)) and kept is None:
        kept = forms.take(waiting)
    if kept is not None:
        forms.add(token, kept)
        target = resume.PATH
    response = see_other(target)
    cookies.set_token(request, response, token)
    cookies.set_browser(request, response, outcome.browser)
    if cookies.waiting_login_of(request):
        cookies.remove_waiting_login(request, response)
    user = await browser_sessions.user_of(token)
    if user is not None:
        await own_account.learn_time_zone(actor_for(request, user), timezone)
    if user is not None and (user.theme or user.language):
        keep_look(request, response, user.theme, user.language)
    return response


def with_target(path: str, target: str, **more: str) -> str:
    """The way to a step of the login that goes on to `target` in the end."""
    return query(path, next=target if target != "/" else None, **more)


async def _form(
    request: web.Request,
    target: str,
    *,
    name: str = "",
    problem: str | None = None,
    status: int = 200,
    kept: KeptForm | None = None,
) -> web.Response:
    party = relying_party(request)
    return page(
        request,
        "login/password.html",
        status=status,
        next=target,
        name=name[:150],
        problem=problem,
        needs_setup=not await users.administrator_exists(),
        passkey=json.dumps(passkeys.login_options(party)) if party else None,
        took_too_long="again" in request.query,
        has_new_password="changed" in request.query,
        kept=kept.as_text() if kept else None,
    )
