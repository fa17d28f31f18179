"""Who we are to a browser that makes or uses passkeys."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from hive import addresses
from hive.services import runtime
from hive.services.accounts.passkeys import RelyingParty
from web.app_keys import SETTINGS
from web.middleware.address import is_trusted_proxy


def relying_party(request: web.Request) -> RelyingParty | None:
    """The public URL's host, else the one that was asked for; None where no browser would do it.

    Browsers know passkeys on HTTPS and on localhost only, and never at a bare address.
    """
    origin = request.app[SETTINGS].public_url or _asked_for(request)
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return None
    is_local = host == "localhost" or host.endswith(".localhost")
    if not host or addresses.parse(host) is not None or not (parts.scheme == "https" or is_local):
        return None
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    return RelyingParty(host, origin.removesuffix(default))


def _asked_for(request: web.Request) -> str:
    """Where this is the host of the address that the set-up was given, that address.

    It knows of a proxy that speaks HTTPS in front, though nobody has said that it is trusted.
    """
    host = request.host.lower()
    known = runtime.public_url_of_setup() or ""
    return known if known.partition("://")[2] == host else f"{scheme(request)}://{host}"


def scheme(request: web.Request) -> str:
    """How the reader reached us: a proxy that is trusted may know better."""
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    if forwarded in ("http", "https") and is_trusted_proxy(request):
        return forwarded
    return request.scheme
