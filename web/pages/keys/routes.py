"""The routes of keys."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.keys import keys, refused, replace

ROUTES = [
    web.get("/keys", keys.show_all),
    web.get("/keys/add", keys.show_add),
    web.post("/keys/add", keys.add),
    web.get(f"/keys/{ID}", keys.show),
    web.post(f"/keys/{ID}", keys.change),
    web.post(f"/keys/{ID}/disable-everywhere", keys.disable_everywhere),
    web.get(f"/keys/{ID}/replace", replace.show),
    web.post(f"/keys/{ID}/replace", replace.submit),
    web.get(f"/keys/{ID}/delete", keys.show_delete),
    web.post(f"/keys/{ID}/delete", keys.delete),
    web.get(f"/keys/refused/{ID}", refused.show),
    web.post(f"/keys/refused/{ID}", refused.let_in),
    web.post(f"/keys/refused/{ID}/dismiss", refused.dismiss),
]
