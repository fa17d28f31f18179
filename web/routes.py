"""Every route: each package of pages names its own."""

from __future__ import annotations

from aiohttp import web

from web.api import ping
from web.pages import answer, healthz, live, static, wall
from web.pages.account import routes as account
from web.pages.admin import routes as admin
from web.pages.help import routes as help_
from web.pages.history import routes as history
from web.pages.keys import routes as keys
from web.pages.login import routes as login
from web.pages.notifications import routes as notifications
from web.pages.repositories import routes as repositories
from web.pages.triggers import routes as triggers

ROUTES = [
    web.get(ping.PING, ping.ping),
    web.post(ping.PING, ping.ping),
    web.get(ping.PUSH, ping.push),
    web.post(ping.PUSH, ping.push),
    web.get("/live", live.show),
    web.get("/wall", wall.show),
    web.get("/wall/{token}", wall.show_by_link),
    web.get("/answer/{token}", answer.show),
    web.post("/answer/{token}", answer.press),
    web.get("/manifest.webmanifest", wall.show_manifest),
    web.get("/healthz", healthz.show),
    web.get("/static/{name}", static.show),
    *repositories.ROUTES,
    *triggers.ROUTES,
    *history.ROUTES,
    *login.ROUTES,
    *keys.ROUTES,
    *account.ROUTES,
    *notifications.ROUTES,
    *admin.ROUTES,
    *help_.ROUTES,
]
