"""The wall: how everything is, to be read from three metres; and the manifest of the pages.

By a link with a token it is shown without a login, and nothing else is.
"""

from __future__ import annotations

import json

from aiohttp import web

from hive.services.accounts import wall_links
from hive.services.overview.wall import wall
from hive.services.permissions import Actor
from web import charts
from web.access import actor_of, public
from web.app_keys import ADDRESS, ASSETS
from web.rendering import page, tab_icon
from web.text.i18n import reader

_BAD = ("critical", "down")


async def show(request: web.Request) -> web.Response:
    return await _page(request, actor_of(request), has_login=True)


@public
async def show_by_link(request: web.Request) -> web.Response:
    actor = await wall_links.reader(request.match_info["token"], request[ADDRESS])
    return await _page(request, actor, has_login=False)


async def _page(request: web.Request, actor: Actor, *, has_login: bool) -> web.Response:
    found = await wall(actor, reader().zone)
    states = {condition for condition, _ in found.totals.counts}
    return page(
        request,
        "wall.html",
        icon=tab_icon(is_bad=bool(states.intersection(_BAD)), is_live=False),
        found=found,
        tiles=[(one, charts.strip(one.strip)) for one in found.tiles],
        has_login=has_login,
    )


@public
async def show_manifest(request: web.Request) -> web.Response:
    """What browsers ask for where the pages are put on a home screen."""
    assets = request.app[ASSETS]
    manifest = {
        "name": "Borg Hive",
        "short_name": "Borg Hive",
        "start_url": "/",
        "display": "standalone",
        "background_color": "#f6f6f3",
        "theme_color": "#c77700",
        "icons": [
            {"src": assets.url("favicon.svg"), "sizes": "any", "type": "image/svg+xml"},
            {"src": assets.url("icon-512.png"), "sizes": "512x512", "type": "image/png"},
        ],
    }
    return web.Response(
        text=json.dumps(manifest),
        content_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )
