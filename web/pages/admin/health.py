"""What this server is and how it is."""

from __future__ import annotations

from aiohttp import web

from hive.services import doctor, installation
from web.access import actor_of
from web.rendering import page


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    about = installation.about(actor)
    findings = await doctor.examine_running(actor)
    order = ("error", "warning", "ok")
    return page(
        request,
        "admin_health.html",
        about=about,
        findings=sorted(findings, key=lambda one: order.index(one.level)),
        troubles=sum(one.level != "ok" for one in findings),
    )
