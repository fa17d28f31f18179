"""The documents: their table of contents, one of them, and its pictures."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.app_keys import BOOK
from web.book import Book, read_book
from web.rendering import page


async def _book(request: web.Request) -> Book:
    """Read once, when somebody asks first."""
    kept = request.app[BOOK]
    if not kept:
        read = await asyncio.to_thread(read_book)
        if not kept:
            kept.append(read)
    return kept[0]


async def contents(request: web.Request) -> web.Response:
    return page(request, "help/contents.html", chapters=(await _book(request)).chapters)


async def show(request: web.Request) -> web.Response:
    book = await _book(request)
    found = book.pages.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    names = list(book.pages)
    here = names.index(found.name)
    before = book.pages[names[here - 1]] if here else None
    after = book.pages[names[here + 1]] if here + 1 < len(names) else None
    return page(request, "help/page.html", document=found, before=before, after=after)


async def picture(request: web.Request) -> web.Response:
    content = (await _book(request)).pictures.get(request.match_info["name"])
    if content is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": "private, max-age=3600"}
    return web.Response(body=content, content_type="image/png", headers=headers)
