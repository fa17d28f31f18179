"""The cookie that carries a browser session's token."""

from __future__ import annotations

from aiohttp import web

from web.keys import SETTINGS


def _is_https(request: web.Request) -> bool:
    return (request.app[SETTINGS].public_url or "").startswith("https://")


def _name(request: web.Request) -> str:
    # Browsers take a __Host- cookie only from HTTPS, and then from no neighbouring domain.
    return "__Host-hive" if _is_https(request) else "hive"


def token_of(request: web.Request) -> str | None:
    return request.cookies.get(_name(request))


def set_token(request: web.Request, response: web.StreamResponse, token: str) -> None:
    response.set_cookie(
        _name(request),
        token,
        max_age=request.app[SETTINGS].session_days * 86_400,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )


def remove_token(request: web.Request, response: web.StreamResponse) -> None:
    response.del_cookie(
        _name(request), path="/", secure=_is_https(request), httponly=True, samesite="Lax"
    )
