"""An id for each request and a line in the log: the route, never the path, query or cookies."""

from __future__ import annotations

import secrets
import time

import structlog
from aiohttp import web

from hive import log
from web.app_keys import REQUEST_ID, USER, Handler

logger = log.get(__name__)

_DULL = ("/static/{name}", "/healthz", "/live")


@web.middleware
async def note_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    # Our own id, not one that the client sends: it is what people quote to the administrator.
    request[REQUEST_ID] = secrets.token_hex(8)
    begun = time.monotonic()
    with structlog.contextvars.bound_contextvars(request=request[REQUEST_ID]):
        response = await handler(request)
        _note(request, response.status, time.monotonic() - begun)
    return response


def _note(request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    # A path can be a secret (/setup/<token>), and one that leads nowhere can be a misspelt secret.
    route = resource.canonical if resource is not None else "none"
    user = request.get(USER)
    is_dull = route in _DULL and status < 400
    (logger.debug if is_dull else logger.info)(
        "request",
        method=request.method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        user=user.name if user else None,
    )
