"""Templates in, pages out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from markupsafe import Markup

from hive import clock
from hive.formats import format_duration
from hive.services import runtime
from hive.services.outbox import downtimes
from hive.services.repositories.quotas import QuotaUse
from web import csv_file, navigation
from web.app_keys import FLASHES, REQUEST_ID, USER
from web.assets import Assets
from web.cookies import token_of
from web.flashes import Flash
from web.help_links import help_for
from web.middleware.reader import theme_of
from web.templating import Page, Templates
from web.text import format as formats
from web.text import i18n
from web.text.words import word

_TEMPLATES = Path(__file__).parent / "templates"


def set_up_templates(app: web.Application, assets: Assets) -> jinja2.Environment:
    environment = Templates(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=i18n.harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app[aiohttp_jinja2.APP_KEY] = environment
    environment.globals.update(
        asset=assets.url,
        took=formats.took,
        now=clock.now,
        days_in_words=formats.days_in_words,
        knows_no_zone=formats.knows_no_zone,
        repository_tabs=navigation.REPOSITORY,
    )
    environment.filters.update(
        ago=formats.ago,
        ahead=formats.ahead,
        brief=formats.brief,
        duration=format_duration,
        brief_size=formats.brief_size,
        briefly_ago=formats.briefly_ago,
        soon=formats.soon,
        speed=formats.speed,
        change=formats.change,
        exact=formats.exact,
        lasted=formats.lasted,
        observed=formats.observed,
        browser=formats.browser,
        moment=formats.moment,
        on=formats.on,
        plain_moment=formats.plain_moment,
        rfc3339=clock.rfc3339,
        round_size=formats.round_size,
        short_moment=formats.short_moment,
        time_of_day=formats.time_of_day,
        work_amount=formats.work_amount,
        work_left=formats.work_left,
        work_share=formats.work_share,
        plain=formats.plain,
        size=formats.size,
        cut=cut,
        lines=lines,
        word=_for_the_reader(word),
        said=_for_the_reader(i18n.sentence),
        pair=lambda value: (value, value),
        key_choice=lambda key: (key.id, f"{key.name} ({key.owner})"),
        worded=lambda value: (value, word(value)),
    )
    i18n.install(environment)
    return environment


def _for_the_reader(translate: Callable[[str], str]) -> Callable[[object, str], str]:
    """A filter that is asked at every page: of a constant, others are asked once for all."""

    @jinja2.pass_context
    def translated(_context: object, text: str) -> str:
        return translate(text)

    return translated


def page(
    request: web.Request, template: str, *, status: int = 200, **context: object
) -> web.Response:
    """The page that `template` makes of `context`; it also knows who looks at it."""
    viewer = request.get(USER)
    shown = {
        "viewer": viewer,
        "request_id": request.get(REQUEST_ID),
        "language": i18n.reader().language,
        "languages": i18n.LANGUAGES,
        "has_own_look": bool(viewer and (viewer.theme or viewer.language)),
        "theme": theme_of(request, viewer),
        "address": request.path_qs if request.method == "GET" else request.path,
        "csv_address": csv_file.address(request),
        "help_address": help_for(request.path),
        "ways": navigation.main(request, viewer),
        "further": navigation.further(request, viewer),
        "is_demo": runtime.is_demo(),
        "maintenance": downtimes.shown(),
        "flashes": _flashes(request) if viewer and status < 400 else [],
        **context,
    }
    return Page(request, template, shown, status)


def tab_icon(*, is_bad: bool, is_live: bool) -> str:
    """The icon of the browser's tab: what is wrong shows before what goes on."""
    if is_bad:
        return "favicon-bad.svg"
    return "favicon-live.svg" if is_live else "favicon.svg"


def _flashes(request: web.Request) -> list[Flash]:
    # HEAD shows nothing, and a page that fetches itself again takes no message from another.
    is_opened = request.method == "GET" and "X-Renew" not in request.headers
    token = token_of(request) if is_opened else None
    return request.app[FLASHES].take(token) if token else []


def done(request: web.Request, path: str, message: str, *, problem: bool = False) -> web.Response:
    """Go on at another page of ours, which then says `message`."""
    if token := token_of(request):
        flash = Flash(message, "problem" if problem else "done")
        request.app[FLASHES].add(token, flash)
    return see_other(path)


def quota_set(request: web.Request, path: str, message: str, use: QuotaUse | None) -> web.Response:
    """The same, with a warning where a quota was set below what is used already."""
    response = done(request, path, message)
    if use is not None and use.is_used_up:
        used, quota = formats.size(use.used_bytes), formats.size(use.quota.limit_bytes)
        warning = i18n.gettext(
            "%(used)s of the quota of %(quota)s are used already: no new data is "
            "accepted until something has been deleted and compacted.",
            used=used,
            quota=quota,
        )
        done(request, path, warning, problem=True)
    return response


def cut(text: str | None, limit: int = 200) -> str:
    """What somebody sent, cut where it does not end; every page does the rest (`harmless`)."""
    if text is None:
        return ""
    return text if len(text) <= limit else f"{text[:limit]}…"


def lines(text: str) -> Markup:
    """Text of several lines for a textarea: the line ends stay, all else is made harmless."""
    return Markup("\n").join(str(i18n.harmless(line)) for line in text.splitlines())


def see_other(path: str) -> web.Response:
    """Go on at another page of ours, with GET."""
    return web.Response(status=303, headers={"Location": path})


def moved(path: str) -> web.Response:
    """What was at this address is at another one now; the method stays."""
    return web.Response(status=308, headers={"Location": path})
