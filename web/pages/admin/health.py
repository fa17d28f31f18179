"""What this server is and how it is, and the button that trusts its clock again."""

from __future__ import annotations

from aiohttp import web

from hive.services import doctor, installation, time_trust
from web.access import actor_of
from web.i18n import gettext
from web.rendering import done, page


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    about = installation.about(actor)
    findings = await doctor.examine_running(actor)
    order = ("error", "warning", "ok")
    return page(
        request,
        "admin_health.html",
        about=about,
        is_clock_doubted=not await time_trust.is_trusted(),
        findings=sorted(findings, key=lambda one: order.index(one.level)),
        troubles=sum(one.level != "ok" for one in findings),
    )


async def confirm_clock(request: web.Request) -> web.Response:
    await time_trust.confirm(actor_of(request))
    return done(request, "/admin", gettext("The clock is trusted as it is now."))
