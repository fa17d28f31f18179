"""One's own account: preferences, e-mail address, password and browser sessions."""

from __future__ import annotations

from aiohttp import web

from hive.kinds import Theme
from hive.services.accounts import browser_sessions, own_account, passwords, users
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of, user_of
from web.cookies import browser_of, token_of
from web.forms import Form, id_of, new_password, sent
from web.middleware.reader import keep_look, language_of_browser, read_as, theme_of
from web.rendering import done, page
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    user = user_of(request)
    form = await versioned.opened(Thing.OWN_ACCOUNT, user.id, _stored, request)
    return _preferences(request, form)


async def _stored(request: web.Request) -> Form:
    actor = actor_of(request)
    user = await users.get_user(actor, user_of(request).id)
    return Form(
        {
            "timezone": user.timezone or "",
            "language": user.language or language_of_browser(request) or "",
            "theme": theme_of(request, user) or Theme.SYSTEM,
        }
    )


async def submit(request: web.Request) -> web.Response:
    form = await sent(request)
    with form.asking():
        user = await own_account.set_preferences(
            actor_of(request),
            timezone=form.text("timezone"),
            language=form.text("language"),
            theme=form.text("theme"),
            version=versioned.seen(form, Thing.OWN_ACCOUNT),
        )
        read_as(request, user)  # the message is in the new language already
        response = done(request, "/account", gettext("Your preferences were saved."))
        keep_look(request, response, user.theme, user.language)
        return response
    await versioned.beside(form, Thing.OWN_ACCOUNT, user_of(request).id, _stored, request)
    return _preferences(request, form)


def _preferences(request: web.Request, form: Form) -> web.Response:
    zones = own_account.time_zones()
    return page(request, "account/account.html", status=form.status, form=form, zones=zones)


async def show_email(request: web.Request) -> web.Response:
    return _email(request, Form({"email": user_of(request).email or ""}))


async def submit_email(request: web.Request) -> web.Response:
    form = await sent(request)
    with form.asking():
        password = form.values.get("password", "")
        await own_account.set_email(actor_of(request), form.text("email"), password)
        return done(request, "/account/email", gettext("Your e-mail address was saved."))
    return _email(request, form)


def _email(request: web.Request, form: Form) -> web.Response:
    return page(request, "account/email.html", status=form.status, form=form)


async def show_password(request: web.Request) -> web.Response:
    return _password(request, Form({}))


async def submit_password(request: web.Request) -> web.Response:
    form = await sent(request)
    new = new_password(form, "new")
    if form.is_fine:
        with form.asking():
            await own_account.change_password(
                actor_of(request),
                form.values.get("password", ""),
                new,
                session=token_of(request),
                browser=browser_of(request),
                forget_browsers=form.has("forget_browsers"),
            )
            message = gettext("The password was changed, and all other browser sessions ended.")
            return done(request, "/account/password", message)
    return _password(request, form)


def _password(request: web.Request, form: Form) -> web.Response:
    least = passwords.MIN_LENGTH
    return page(request, "account/password.html", status=form.status, form=form, least=least)


async def show_sessions(request: web.Request) -> web.Response:
    sessions = await browser_sessions.list_own(actor_of(request), token_of(request))
    return page(request, "account/sessions.html", sessions=sessions)


async def end_session(request: web.Request) -> web.Response:
    await browser_sessions.end_own(actor_of(request), id_of(request))
    return done(request, "/account/sessions", gettext("That browser was logged out."))


async def end_other_sessions(request: web.Request) -> web.Response:
    await browser_sessions.end_others(actor_of(request), token_of(request) or "")
    message = gettext("All other browsers were logged out.")
    return done(request, "/account/sessions", message)
