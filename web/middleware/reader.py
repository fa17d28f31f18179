"""In which language, zone and theme a page is made: the user's own, else what the browser says."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from hive.services.accounts import UserInfo
from web.cookies import LANGUAGE, THEME, choice
from web.i18n import LANGUAGES, Reader, change_reader, preferred, reading
from web.keys import Handler

THEMES = ("light", "dark")


@web.middleware
async def know_the_reader(request: web.Request, handler: Handler) -> web.StreamResponse:
    with reading(Reader(_language(request, None))):
        return await handler(request)


def read_as(request: web.Request, user: UserInfo) -> None:
    """From now on the page is for this user."""
    change_reader(Reader(_language(request, user), _zone(user)))


def _language(request: web.Request, user: UserInfo | None) -> str:
    own = getattr(user, "language", None)
    if own in LANGUAGES:
        return str(own)
    accepted = request.headers.get("Accept-Language", "")
    return choice(request, LANGUAGE, tuple(LANGUAGES)) or preferred(accepted)


def _zone(user: UserInfo) -> tzinfo | None:
    name = getattr(user, "timezone", None)
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def theme_of(request: web.Request, user: UserInfo | None) -> str | None:
    """Light or dark where that was chosen; None leaves it to the system."""
    own = getattr(user, "theme", None)
    return own if own in THEMES else choice(request, THEME, THEMES)
