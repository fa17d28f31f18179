"""Templates in, pages out."""

from __future__ import annotations

from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from markupsafe import Markup

from hive.log import escape
from web import format as formats
from web.assets import Assets
from web.keys import REQUEST_ID, USER

_TEMPLATES = Path(__file__).parent / "templates"


def set_up_templates(app: web.Application, assets: Assets) -> jinja2.Environment:
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        default_helpers=False,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=assets.url, took=formats.took)
    environment.filters.update(ago=formats.ago, moment=formats.moment, size=formats.size, cut=cut)
    return environment


def page(
    request: web.Request, template: str, *, status: int = 200, **context: object
) -> web.Response:
    """The page that `template` makes of `context`; it also knows who looks at it."""
    shown = {"viewer": request.get(USER), "request_id": request.get(REQUEST_ID), **context}
    return aiohttp_jinja2.render_template(template, request, shown, status=status)


def _harmless(value: object) -> object:
    """Of every text that a template prints: what turns or hides letters is written as an escape."""
    return escape(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def cut(text: str, limit: int = 200) -> str:
    """What somebody sent, cut where it does not end; every page does the rest (`_harmless`)."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def see_other(path: str) -> web.Response:
    """Go on at another page of ours, with GET."""
    return web.Response(status=303, headers={"Location": path})
