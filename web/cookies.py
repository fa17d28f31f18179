"""Cookies: a browser session's token, a login between its two steps, and what a browser chose."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from web.app_keys import SETTINGS

THEME = "hive-theme"
LANGUAGE = "hive-language"
DENSITY = "hive-density"  # of the rows of the overview
_A_YEAR = 365 * 86_400


def _is_https(request: web.Request) -> bool:
    return request.app[SETTINGS].is_https


def _name(request: web.Request, suffix: str = "") -> str:
    # Browsers take a __Host- cookie only from HTTPS, and then from no neighbouring domain.
    return f"{'__Host-' if _is_https(request) else ''}hive{suffix}"


def _set(
    request: web.Request, response: web.StreamResponse, name: str, value: str, seconds: int
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )


def _remove(request: web.Request, response: web.StreamResponse, name: str) -> None:
    response.del_cookie(name, path="/", secure=_is_https(request), httponly=True, samesite="Lax")


def token_of(request: web.Request) -> str | None:
    return request.cookies.get(_name(request))


def set_token(request: web.Request, response: web.StreamResponse, token: str) -> None:
    days = request.app[SETTINGS].session_days
    _set(request, response, _name(request), token, days * 86_400)


def remove_token(request: web.Request, response: web.StreamResponse) -> None:
    _remove(request, response, _name(request))


def browser_of(request: web.Request) -> str | None:
    """The token by which a browser that logged in before is known."""
    return request.cookies.get(_name(request, "-browser"))


def set_browser(request: web.Request, response: web.StreamResponse, token: str) -> None:
    _set(request, response, _name(request, "-browser"), token, _A_YEAR)


def waiting_login_of(request: web.Request) -> str | None:
    return request.cookies.get(_name(request, "-login"))


def set_waiting_login(
    request: web.Request, response: web.StreamResponse, token: str, seconds: int
) -> None:
    _set(request, response, _name(request, "-login"), token, seconds)


def remove_waiting_login(request: web.Request, response: web.StreamResponse) -> None:
    _remove(request, response, _name(request, "-login"))


def choice(request: web.Request, name: str, known: Sequence[str]) -> str | None:
    """What this browser chose, if it is one of those known."""
    value = request.cookies.get(name)
    return value if value in known else None


def keep_choice(
    request: web.Request, response: web.StreamResponse, name: str, value: str | None
) -> None:
    """Remember a choice that says nothing about anybody; None forgets it."""
    if value is None:
        _remove(request, response, name)
    else:
        _set(request, response, name, value, _A_YEAR)
