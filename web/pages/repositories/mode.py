"""Switching what a repository is open for: borg, or rsync in one direction."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Health, Mode
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.repositories import catalogue
from web import schedule_form
from web.access import actor_of, user_of
from web.forms import Form, id_of, one_of, sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_PATIENCE = 15  # seconds; ending sessions and verifying an import go on without the browser


async def show(request: web.Request) -> web.Response:
    to = one_of(request, "to", Mode)
    return await _page(request, Form({} if to is None else {"mode": str(to)}))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    mode = form.read("mode", Mode)
    if mode is None and form.is_fine:
        form.complain(InvalidInput("Choose a mode.", field="mode"))
    if mode is None:
        return await _page(request, form)
    here = f"/repositories/{info.id}"
    asks = mode == Mode.BORG and form.has("kind")
    schedule = schedule_form.change_of(form) if asks else ScheduleChange()
    if not form.is_fine:
        return await _page(request, form)
    with form.asking():
        wanted = ChangeRepository(mode=mode, schedule=schedule)
        try:
            async with asyncio.timeout(_PATIENCE):
                settled = (await changing.change(actor, info.id, wanted)).settled
        except TimeoutError:
            message = gettext(
                "This takes a while and continues in the background; the events will "
                "show the result."
            )
            return done(request, here, message)
        if settled is not None:
            is_problem = settled.facts is None
            return done(request, here, sentence(settled.message), problem=is_problem)
        return done(request, here, gettext("The mode is now %(mode)s.", mode=mode))
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    """Who makes it a repository for backups is asked when to expect them."""
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    health = await health_info.health_info(actor, info.id)
    asks = info.mode != Mode.BORG and health.health == Health.UNWATCHED
    begun = {"mode": str(info.mode), **schedule_form.preselected(user_of(request))}
    return page(
        request,
        "repositories/mode.html",
        status=form.status,
        repository=info,
        form=Form({**begun, **form.values}, form.problems),
        asks_for_schedule=asks,
    )
