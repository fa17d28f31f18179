"""What the server does again and again: when it comes next, how it went, and a button for now."""

from __future__ import annotations

from aiohttp import web

from hive.services.server import scheduler
from web.access import actor_of
from web.forms import read_form
from web.rendering import done, page
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    return page(request, "admin/jobs.html", jobs=await scheduler.list_jobs(actor_of(request)))


async def run(request: web.Request) -> web.Response:
    form = await read_form(request)
    info = await scheduler.run_now(actor_of(request), form.get("name", ""))
    message = gettext("The job “%(name)s” was started.", name=info.name)
    return done(request, "/admin/jobs", message)
