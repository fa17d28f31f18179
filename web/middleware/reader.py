"""In which language, zone and theme a page is made: the user's own, else what the browser says."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from hive.kinds import Theme
from hive.services.accounts.users import UserInfo
from web.app_keys import Handler
from web.cookies import LANGUAGE, THEME, choice, keep_choice
from web.text.i18n import LANGUAGES, Reader, change_reader, preferred, reading

THEMES = (Theme.LIGHT, Theme.DARK)  # what a browser can be set to; else it asks its system


@web.middleware
async def know_the_reader(request: web.Request, handler: Handler) -> web.StreamResponse:
    with reading(Reader(_language(request, None))):
        return await handler(request)


def read_as(request: web.Request, user: UserInfo) -> None:
    """From now on the page is for this user."""
    change_reader(Reader(_language(request, user), _zone(user)))


def _language(request: web.Request, user: UserInfo | None) -> str:
    if user is not None and user.language in LANGUAGES:
        return user.language
    return language_of_browser(request) or preferred(request.headers.get("Accept-Language", ""))


def language_of_browser(request: web.Request) -> str | None:
    return choice(request, LANGUAGE, tuple(LANGUAGES))


def _zone(user: UserInfo) -> tzinfo | None:
    try:
        return ZoneInfo(user.timezone) if user.timezone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # the system's zones may have changed since it was chosen


def theme_of(request: web.Request, user: UserInfo | None) -> str | None:
    """Light or dark where that was chosen; None leaves it to the system."""
    own = user.theme if user is not None else None
    if own is not None:
        return own if own in THEMES else None
    return choice(request, THEME, THEMES)


def keep_look(
    request: web.Request, response: web.StreamResponse, theme: str | None, language: str | None
) -> None:
    """Have this browser show the pages for strangers as its user wants them; None forgets."""
    keep_choice(request, response, THEME, theme if theme in THEMES else None)
    keep_choice(request, response, LANGUAGE, language)
