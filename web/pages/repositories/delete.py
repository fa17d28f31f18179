"""Deleting a repository: to the trash, after its name was typed."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive import clock
from hive.errors import InvalidInput
from hive.sentences import N_
from hive.services.lifecycle import trash
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext

_PATIENCE = 15  # seconds; what is left goes on without the browser


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    if form.text("name") != info.name:
        message = N_("That is not its name: nothing was deleted.")
        form.complain(InvalidInput(message, field="name"))
        return await _page(request, form)
    with form.asking():
        try:
            async with asyncio.timeout(_PATIENCE):
                deleted = await trash.delete_repository(actor, info.id)
        except TimeoutError:
            message = gettext(
                "It is deleted; its files go to the trash when its sessions have ended."
            )
            return done(request, "/trash", message)
        message = gettext(
            "The repository %(name)s is in the trash until %(until)s.",
            name=deleted.name,
            until=deleted.until.strftime("%Y-%m-%d"),
        )
        return done(request, "/trash", message)
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    info = await catalogue.find_changeable(actor_of(request), id_of(request))
    return page(
        request,
        "repositories/delete.html",
        status=form.status,
        repository=info,
        form=form,
        days=trash.kept_for().days,
        until=clock.now() + trash.kept_for(),
    )
