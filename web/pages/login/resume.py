"""The form that was sent after the session had ended, to be sent once more after the login."""

from __future__ import annotations

from aiohttp import web

from web.app_keys import KEPT_FORMS
from web.cookies import token_of
from web.rendering import page, see_other

PATH = "/resume"


async def show(request: web.Request) -> web.Response:
    """Nothing is sent by itself: whoever logged in looks at it and presses the button."""
    kept = request.app[KEPT_FORMS].get(token_of(request) or "")
    if kept is None:
        return see_other("/")
    return page(request, "login/resume.html", kept=kept)
