"""One place where what went wrong becomes a page."""

from __future__ import annotations

import jinja2
from aiohttp import web

from hive import errors, log
from hive.driver_error import DriverError
from hive.sentences import N_
from web.app_keys import REQUEST_ID, Handler
from web.rendering import page
from web.templating import rendered
from web.text.i18n import gettext, sentence

logger = log.get(__name__)

_STATUS: dict[type[errors.HiveError], int] = {
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.AccessRefused: 403,
    errors.InvalidInput: 422,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.StorageError: 503,
    errors.DatabaseError: 503,
    errors.Sealed: 503,
    errors.Unavailable: 503,
}
_TITLES = {
    400: N_("That request was not understood"),
    401: N_("Please log in"),
    403: N_("Not allowed"),
    404: N_("There is no such page"),
    405: N_("This method is not allowed"),
    409: N_("This is not possible now"),
    413: N_("The request is too large"),
    415: N_("This format is not accepted"),
    422: N_("Check what was entered"),
    429: N_("Too many requests"),
    500: N_("Something went wrong here"),
    503: N_("Not available just now"),
}
_WORDS = {
    401: N_("You are not logged in, or no longer."),
    403: N_("You may not do this."),
    404: N_("Either it never existed, or it is gone, or it is not for you to see."),
    405: N_("This page does not accept that kind of request."),
    413: N_("The request is larger than this page accepts."),
    415: N_("This page takes forms only."),
    503: N_("The server cannot answer this now. Try again in a moment."),
}
_OTHER = N_("This did not work")
# Their messages may name files of the server: they are for the log.
_ONLY_LOGGED = (errors.StorageError, errors.DatabaseError, errors.Sealed)


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await rendered(await handler(request))
    except web.HTTPException as problem:
        if problem.status < 400:
            raise
        return _keep_headers(problem, await error_page(request, problem.status))
    except errors.HiveError as error:
        return await _told_on_purpose(request, error)
    except DriverError:
        logger.exception("the database did not answer")
        return await error_page(request, 503)
    except Exception:
        # The edge: whatever it is, it ends here and is logged.
        logger.exception("unexpected error")
        return await error_page(request, 500)


async def _told_on_purpose(request: web.Request, error: errors.HiveError) -> web.StreamResponse:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    if status >= 500:
        logger.error("refused", error=error.message)
    if status == 500 or isinstance(error, _ONLY_LOGGED):
        return await error_page(request, status)
    return await error_page(request, status, error.message)


def _keep_headers(problem: web.HTTPException, response: web.StreamResponse) -> web.StreamResponse:
    if "Allow" in problem.headers:
        response.headers["Allow"] = problem.headers["Allow"]
    return response


async def error_page(
    request: web.Request, status: int, message: str | None = None
) -> web.StreamResponse:
    title = gettext(_TITLES.get(status, _OTHER))
    words = sentence(message) if message else _words(status)
    try:
        shown = {"title": title, "message": words, "code": status, "address": "/"}
        return await rendered(page(request, "error.html", status=status, **shown))
    except jinja2.TemplateError:
        logger.exception("the error page itself failed")
        return web.Response(status=status, text=f"{title} ({request.get(REQUEST_ID)})")


def _words(status: int) -> str:
    return gettext(_WORDS[status]) if status in _WORDS else ""
