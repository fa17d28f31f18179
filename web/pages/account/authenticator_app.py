"""Setting up and removing the authenticator app."""

from __future__ import annotations

import io

import segno
from aiohttp import web

from hive.services.accounts import confirmed, second_factor
from web.access import actor_of
from web.forms import Form, sent
from web.pages.account.second_factor import OVERVIEW, first_codes
from web.rendering import done, page, see_other
from web.text.i18n import gettext

_HERE = f"{OVERVIEW}/app"


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def begin(request: web.Request) -> web.Response:
    await second_factor.begin_totp(actor_of(request))
    return see_other(_HERE)


async def show_qr(request: web.Request) -> web.Response:
    """The secret as a picture; a file of its own, because pages hold no style."""
    enrolment = await second_factor.enrolment(actor_of(request))
    if enrolment is None:
        raise web.HTTPNotFound
    picture = io.BytesIO()
    # Dark on light with a margin, in the dark theme as well: that is what cameras know.
    segno.make(enrolment.uri, error="m", micro=False).save(
        picture, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False
    )
    return web.Response(body=picture.getvalue(), content_type="image/svg+xml")


async def confirm(request: web.Request) -> web.Response:
    form = await sent(request)
    with form.asking():
        codes = await second_factor.confirm_totp(actor_of(request), form.text("code"))
        return first_codes(request, codes, gettext("The authenticator app is set up."))
    return await _page(request, form)


async def remove(request: web.Request) -> web.Response:
    form, actor = await sent(request), actor_of(request)
    with form.asking():
        await confirmed.remove_totp(actor, password=form.values.get("password", ""))
        return done(request, OVERVIEW, gettext("The authenticator app was removed."))
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    actor = actor_of(request)
    return page(
        request,
        "account/app.html",
        status=form.status,
        form=form,
        factors=await second_factor.factors_of(second_factor.own_id(actor)),
        enrolment=await second_factor.enrolment(actor),
    )
