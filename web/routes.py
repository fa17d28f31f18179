"""Every route: what the path is, and which page answers."""

from __future__ import annotations

from aiohttp import web

from web.pages import (
    appearance,
    events,
    health,
    keys,
    login,
    logout,
    overview,
    refused_keys,
    repository,
    sessions,
    setup,
    static,
)

_ID = "{id:[0-9]{1,9}}"

ROUTES = [
    web.get("/", overview.show),
    web.get(f"/repositories/{_ID}", repository.show),
    web.get("/login", login.show),
    web.post("/login", login.submit),
    web.post("/logout", logout.submit),
    web.post("/appearance", appearance.submit),
    web.get("/setup/{token}", setup.show),
    web.post("/setup/{token}", setup.submit),
    web.get("/keys", keys.show_all),
    web.get("/keys/add", keys.show_add),
    web.post("/keys/add", keys.add),
    web.get(f"/keys/{_ID}", keys.show),
    web.post(f"/keys/{_ID}", keys.change),
    web.get(f"/keys/{_ID}/delete", keys.show_delete),
    web.post(f"/keys/{_ID}/delete", keys.delete),
    web.get(f"/keys/refused/{_ID}", refused_keys.show),
    web.post(f"/keys/refused/{_ID}", refused_keys.let_in),
    web.post(f"/keys/refused/{_ID}/dismiss", refused_keys.dismiss),
    web.get("/sessions", sessions.show_all),
    web.get(f"/sessions/{_ID}", sessions.show),
    web.post(f"/sessions/{_ID}/end", sessions.end),
    web.get("/events", events.show),
    web.get("/healthz", health.show),
    web.get("/static/{name}", static.show),
]
