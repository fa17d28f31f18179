"""The server's own keys, for people to compare."""

from __future__ import annotations

from aiohttp import web

from hive.errors import StorageError
from hive.services.gate import host_keys
from hive.services.permissions import require_sight
from hive.services.storage import locations
from web.access import actor_of
from web.rendering import page


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    require_sight(actor)
    problem = None
    try:
        keys = await host_keys.public_keys()
    except StorageError as error:
        keys, problem = [], error.message  # an administrator may know the path
    places = {(info.host, info.port) for info in await locations.list_locations(actor)}
    lines = [line for place in sorted(places) for line in host_keys.known_hosts_lines(*place, keys)]
    return page(request, "admin/host_keys.html", keys=keys, lines=lines, problem=problem)
