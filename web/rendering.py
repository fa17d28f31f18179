"""Templates in, pages out."""

from __future__ import annotations

from pathlib import Path

import jinja2
from aiohttp import web

from hive.log import escape
from web import format as formats
from web.assets import Assets
from web.keys import REQUEST_ID, TEMPLATES, USER

_TEMPLATES = Path(__file__).parent / "templates"


def environment(assets: Assets) -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=assets.url, took=formats.took)
    made.filters.update(ago=formats.ago, moment=formats.moment, size=formats.size, visible=visible)
    return made


def page(
    request: web.Request, template: str, *, status: int = 200, **context: object
) -> web.Response:
    """The page that `template` makes of `context`; it also knows who looks at it."""
    text = (
        request.app[TEMPLATES]
        .get_template(template)
        .render(viewer=request.get(USER), request_id=request.get(REQUEST_ID), **context)
    )
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def visible(text: str, limit: int = 200) -> str:
    """What somebody sent, so that all of it can be seen and none of it moves what is around."""
    shown = escape(text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def see_other(path: str) -> web.Response:
    """Go on at another page of ours, with GET."""
    return web.Response(status=303, headers={"Location": path})
