"""The routes of the documents."""

from __future__ import annotations

from aiohttp import web

from web.pages.help import book

ROUTES = [
    web.get("/help", book.contents),
    web.get("/help/pictures/{name}", book.picture),
    web.get("/help/{name:[a-z-]+/[a-z-]+}", book.show),
]
