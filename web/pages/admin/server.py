"""What this server is and how it is, and the button that trusts its clock again."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput, NotFound
from hive.sentences import N_
from hive.services.clock import trust
from hive.services.outbox import downtimes
from hive.services.permissions import require_operator
from hive.services.server.condition import server_condition
from hive.units import parse_duration
from web.access import actor_of
from web.forms import sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence

SPANS = {"1h": N_("1 hour"), "4h": N_("4 hours"), "12h": N_("12 hours"), "2d": N_("2 days")}


async def show(request: web.Request) -> web.Response:
    found = await server_condition(actor_of(request))
    return page(
        request,
        "admin/server.html",
        about=found.about,
        is_clock_doubted=found.is_clock_doubted,
        findings=found.checks,
        troubles=found.problems,
        spans=SPANS,
    )


async def confirm_clock(request: web.Request) -> web.Response:
    await trust.confirm(actor_of(request))
    return done(request, "/admin", gettext("The clock is trusted as it is now."))


async def announce(request: web.Request) -> web.Response:
    """Begin maintenance: for so long, no missing backup is reported."""
    actor, form = actor_of(request), await sent(request)
    require_operator(actor)
    try:
        await downtimes.announce(actor, parse_duration(form.text("for")))
    except InvalidInput as error:
        return done(request, "/admin", sentence(error.message), problem=True)
    return done(request, "/admin", gettext("Maintenance has begun."))


async def end_maintenance(request: web.Request) -> web.Response:
    actor = actor_of(request)
    require_operator(actor)
    try:
        await downtimes.end(actor)
    except NotFound as error:
        return done(request, "/admin", sentence(error.message), problem=True)
    return done(request, "/admin", gettext("The maintenance is over."))
