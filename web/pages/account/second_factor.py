"""The second factor as a whole, and its recovery codes."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from hive.services.accounts import confirmed, passkeys, second_factor
from web.access import actor_of
from web.forms import Form, sent
from web.relying_party import relying_party
from web.rendering import done, page

OVERVIEW = "/account/second-factor"


async def show_factors(request: web.Request) -> web.Response:
    actor = actor_of(request)
    party = relying_party(request)
    return page(
        request,
        "account/second_factor.html",
        factors=await second_factor.factors_of(second_factor.own_id(actor)),
        passkeys=await passkeys.list_passkeys(actor),
        rp_id=party.id if party else None,
    )


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    form, actor = await sent(request), actor_of(request)
    with form.asking():
        password = form.values.get("password", "")
        return _shown(request, await confirmed.new_recovery_codes(actor, password=password))
    return await _page(request, form)


def first_codes(request: web.Request, codes: Sequence[str], message: str) -> web.Response:
    """After a factor was added: the codes that come with the first, else back with `message`."""
    return _shown(request, codes) if codes else done(request, OVERVIEW, message)


def _shown(request: web.Request, codes: Sequence[str]) -> web.Response:
    """The one time that recovery codes are shown."""
    return page(request, "account/codes_shown.html", codes=codes)


async def _page(request: web.Request, form: Form) -> web.Response:
    return page(
        request,
        "account/codes.html",
        status=form.status,
        form=form,
        factors=await second_factor.factors_of(second_factor.own_id(actor_of(request))),
        codes=second_factor.CODES,
    )
