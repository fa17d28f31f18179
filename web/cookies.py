"""The cookie that carries a browser session's token, and those of what a browser chose."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from web.keys import SETTINGS

THEME = "hive-theme"
LANGUAGE = "hive-language"
_A_YEAR = 365 * 86_400


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


def choice(request: web.Request, name: str, known: Sequence[str]) -> str | None:
    """What this browser chose, if it is one of those known."""
    value = request.cookies.get(name)
    return value if value in known else None


def keep_choice(
    request: web.Request, response: web.StreamResponse, name: str, value: str | None
) -> None:
    """Remember a choice that says nothing about anybody; None forgets it."""
    if value is None:
        response.del_cookie(name, path="/", secure=_is_https(request), samesite="Lax")
        return
    response.set_cookie(
        name,
        value,
        max_age=_A_YEAR,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )
