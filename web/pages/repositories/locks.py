"""The locks on a repository, and taking them away."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive import clock
from hive.services.repositories import catalogue
from hive.services.repositories import locks as stale_locks
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    with form.asking():
        broken = await stale_locks.break_lock(actor, info.id, force=form.has("force"))
        message = (
            gettext("The lock was removed.")
            if broken
            else gettext("Nothing was removed: no lock belongs to a dead process of this server.")
        )
        return done(request, f"/repositories/{info.id}/locks", message, problem=not broken)
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    info = await catalogue.find_changeable(actor_of(request), id_of(request))
    locks = await asyncio.to_thread(stale_locks.look, info.path)
    now = clock.now()
    return page(
        request,
        "repositories/locks.html",
        status=form.status,
        repository=info,
        form=form,
        locks=[(lock, lock.in_words(now)) for lock in locks],
    )
