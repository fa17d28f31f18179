"""Changes are asked for by our own pages only: no other site's page may send our forms.

A browser says itself where a request comes from (Sec-Fetch-Site, on HTTPS and on this machine,
else Origin), and a page cannot make it lie. So forms need no tokens.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from hive.errors import Forbidden
from hive.services import runtime
from web.app_keys import SETTINGS, Handler
from web.cookies import token_of, waiting_login_of

_READING = ("GET", "HEAD", "OPTIONS")


@web.middleware
async def refuse_other_sites(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method not in _READING and not _is_ours(request):
        raise Forbidden("This came from a page of another site, so nothing was changed.")
    return await handler(request)


def _is_ours(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")  # none: typed or bookmarked by the person
    origin = request.headers.get("Origin")
    if origin is not None:
        return _is_our_origin(origin, request)
    # No browser; without a cookie there is nothing that somebody else's page could misuse.
    return token_of(request) is None and waiting_login_of(request) is None


def _is_our_origin(origin: str, request: web.Request) -> bool:
    settings = request.app[SETTINGS]
    if origin.lower() in (settings.public_url, runtime.public_url_of_setup()):
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme != "https" and settings.is_https:
        return False  # a page that came in clear can be anybody's
    return parts.netloc != "" and parts.netloc.lower() == request.headers.get("Host", "").lower()
