"""A new password for who forgot theirs."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput
from hive.sentences import N_
from hive.services.accounts import password_resets, passwords
from web.access import public
from web.app_keys import ADDRESS
from web.cookies import set_browser
from web.forms import Form, new_password, sent
from web.rendering import page, see_other


@public
async def ask(request: web.Request) -> web.Response:
    return _question(request, Form({}))


@public
async def submit_question(request: web.Request) -> web.Response:
    form = await sent(request)
    who = form.text("who")
    if not password_resets.mail_is_possible():
        return _question(request, form)
    if not who:
        message = N_("Type your name or e-mail address here.")
        form.complain(InvalidInput(message, field="who"))
        return _question(request, form)
    password_resets.request_by_mail(who, address=request[ADDRESS])
    return _question(request, Form({}), is_sent=True)


@public
async def show(request: web.Request) -> web.Response:
    return _page(request, await password_resets.name_of(request.match_info["token"]), Form({}))


@public
async def submit(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    name = await password_resets.name_of(token)
    form = await sent(request)
    password = new_password(form, "password")
    if form.is_fine:
        with form.asking():
            browser = await password_resets.complete(token, password, address=request[ADDRESS])
            # No login by this: where there is a second factor, it is asked for.
            response = see_other("/login?changed")
            set_browser(request, response, browser)
            return response
    return _page(request, name, form)


def _question(request: web.Request, form: Form, *, is_sent: bool = False) -> web.Response:
    return page(
        request,
        "login/forgot.html",
        status=form.status,
        form=form,
        is_possible=password_resets.mail_is_possible(),
        is_sent=is_sent,
    )


def _page(request: web.Request, name: str, form: Form) -> web.Response:
    least = passwords.MIN_LENGTH
    return page(
        request, "login/password_reset.html", status=form.status, name=name, form=form, least=least
    )
