"""Switching what a repository is open for: borg, or rsync in one direction."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Mode
from hive.services import imports, repositories
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.i18n import N_, gettext, sentence
from web.rendering import done, page

_PATIENCE = 15  # seconds; ending sessions and verifying an import go on without the browser


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await repositories.find_changeable(actor, id_of(request))
    form = await sent(request)
    mode = form.read("mode", Mode)
    if mode is None and form.is_fine:
        form.complain(InvalidInput(N_("Choose a mode."), field="mode"))
    if mode is None:
        return await _page(request, form)
    here = f"/repositories/{info.id}"
    with form.asking():
        try:
            async with asyncio.timeout(_PATIENCE):
                settled = await imports.switch_mode(actor, info.id, mode)
        except TimeoutError:
            message = gettext("This takes a while and goes on; the events will tell how it ended.")
            return done(request, here, message)
        if settled is not None:
            is_problem = settled.facts is None
            return done(request, here, sentence(settled.message), problem=is_problem)
        return done(request, here, gettext("The mode is now %(mode)s.", mode=mode))
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    info = await repositories.find_changeable(actor_of(request), id_of(request))
    shown = Form({"mode": info.mode, **form.values}, form.problems)
    return page(
        request,
        "repository_mode.html",
        status=form.status,
        repository=info,
        form=shown,
    )
