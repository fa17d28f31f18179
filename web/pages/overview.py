"""All repositories that one may see."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from hive.services import overview
from hive.services.overview import Condition
from web.access import actor_of
from web.rendering import page


async def show(request: web.Request) -> web.Response:
    repositories = await overview.glances(actor_of(request))
    counts = Counter(one.condition for one in repositories)
    return page(
        request,
        "overview.html",
        repositories=repositories,
        counts=[(condition, counts[condition]) for condition in Condition if counts[condition]],
        failed=counts[Condition.FAILED],
    )
