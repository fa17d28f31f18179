"""The settings in effect."""

from __future__ import annotations

from aiohttp import web

from hive.services.server import about
from web.access import actor_of
from web.rendering import page


async def show(request: web.Request) -> web.Response:
    sections = about.settings_in_effect(actor_of(request))
    return page(request, "admin/settings.html", sections=sections)
