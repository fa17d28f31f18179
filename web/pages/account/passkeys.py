"""Adding, naming and deleting passkeys."""

from __future__ import annotations

import json

from aiohttp import web

from hive.services.accounts import confirmed, passkeys
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.pages.account.second_factor import OVERVIEW, first_codes
from web.relying_party import relying_party
from web.rendering import done, page
from web.text.i18n import gettext


async def show_new(request: web.Request) -> web.Response:
    return _new(request, Form({}))


async def begin(request: web.Request) -> web.Response:
    """The password was typed: hand out what the browser needs."""
    form, actor, party = await sent(request), actor_of(request), relying_party(request)
    if party is None:
        return _new(request, form)
    with form.asking():
        new = await confirmed.begin_passkey(
            actor, party, name=form.text("name"), password=form.values.get("password", "")
        )
        options = json.dumps(new.options)
        return page(request, "account/passkey_make.html", name=new.name, options=options)
    return _new(request, form)


async def add(request: web.Request) -> web.Response:
    form, party = await sent(request), relying_party(request)
    if party is None:
        return _new(request, form)
    with form.asking():
        name, made = form.text("name"), form.values.get("passkey", "")
        codes = await passkeys.add_passkey(actor_of(request), party, name, made)
        return first_codes(request, codes, gettext("The passkey %(name)s was added.", name=name))
    return _new(request, form)


def _new(request: web.Request, form: Form) -> web.Response:
    return page(
        request,
        "account/passkey_new.html",
        status=form.status,
        form=form,
        is_possible=relying_party(request) is not None,
    )


async def show(request: web.Request) -> web.Response:
    return await _one(request, None)


async def rename(request: web.Request) -> web.Response:
    form = await sent(request)
    with form.asking():
        await passkeys.rename_passkey(actor_of(request), id_of(request), form.text("name"))
        return done(request, OVERVIEW, gettext("The passkey was renamed."))
    return await _one(request, form)


async def delete(request: web.Request) -> web.Response:
    form, actor = await sent(request), actor_of(request)
    with form.asking():
        password = form.values.get("password", "")
        await confirmed.delete_passkey(actor, id_of(request), password=password)
        return done(request, OVERVIEW, gettext("The passkey was deleted."))
    return await _one(request, form)


async def _one(request: web.Request, form: Form | None) -> web.Response:
    passkey = await passkeys.get_passkey(actor_of(request), id_of(request))
    form = form or Form({})
    # what is deleted keeps its name
    shown = Form({"name": passkey.name, **form.values}, form.problems, form.status)
    return page(request, "account/passkey.html", status=form.status, form=shown, passkey=passkey)
