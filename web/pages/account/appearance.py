"""Which theme and language this browser wants; kept in cookies, so that strangers may choose."""

from __future__ import annotations

from aiohttp import web

from web.access import public
from web.cookies import LANGUAGE, THEME, keep_choice
from web.forms import internal_path, read_form
from web.middleware.reader import THEMES
from web.rendering import see_other
from web.text.i18n import LANGUAGES


@public
async def submit(request: web.Request) -> web.Response:
    form = await read_form(request)
    response = see_other(internal_path(form.get("next")))
    if (theme := form.get("theme")) is not None:
        keep_choice(request, response, THEME, theme if theme in THEMES else None)
    if (language := form.get("language")) in LANGUAGES:
        keep_choice(request, response, LANGUAGE, language)
    return response
