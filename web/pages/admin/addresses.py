"""Client addresses: what went wrong at the SSH gate, bans, and what is exempt from limits."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import AddressRuling
from hive.services.gate import client_addresses
from hive.services.permissions import require_operator
from web.access import actor_of
from web.forms import Form, read_form, sent
from web.rendering import done, page
from web.text.i18n import gettext

_PATH = "/admin/addresses"


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({"network": request.query.get("network", "")[:64]}))


async def _page(request: web.Request, form: Form) -> web.Response:
    rows = await client_addresses.list_addresses(actor_of(request))
    return page(request, "admin/addresses.html", status=form.status, form=form, addresses=rows)


async def decide(request: web.Request) -> web.Response:
    actor = actor_of(request)
    require_operator(actor)
    form = await sent(request)
    network, expires_at = form.text("network"), form.when("expires")
    ruling = form.read("ruling", AddressRuling)
    if ruling is None and form.is_fine:
        form.complain(InvalidInput("This is none of the choices.", field="ruling"))
    if form.is_fine and ruling is AddressRuling.ALLOW:
        with form.asking():
            info = await client_addresses.allow(
                actor, network, expires_at=expires_at, reason=form.text("reason")
            )
            message = gettext("%(network)s is allowed.", network=info.network)
            return done(request, _PATH, message)
    elif form.is_fine:
        with form.asking():
            info = await client_addresses.ban(
                actor,
                network,
                expires_at=expires_at,
                reason=form.text("reason"),
                is_confirmed=form.has("confirmed"),
            )
            return done(request, _PATH, gettext("%(network)s is banned.", network=info.network))
    return await _page(request, form)


async def release(request: web.Request) -> web.Response:
    form = await read_form(request)
    released = await client_addresses.release(actor_of(request), form.get("network", ""))
    return done(request, _PATH, gettext("%(network)s was released.", network=released))
