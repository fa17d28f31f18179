"""The routes of what happened."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.history import alarms, events, reports, sessions

ROUTES = [
    web.post(f"/alarms/{ID}/answer", alarms.answer),
    web.post(f"/alarms/{ID}/disable-key", alarms.disable_key),
    web.get(f"/repositories/{ID}/reports", reports.show_all),
    web.get(f"/repositories/{ID}/reports/tokens/add", reports.show_add_token),
    web.post(f"/repositories/{ID}/reports/tokens/add", reports.add_token),
    web.get(f"/reports/{ID}", reports.show),
    web.get(f"/reports/tokens/{ID}/delete", reports.show_delete_token),
    web.post(f"/reports/tokens/{ID}/delete", reports.delete_token),
    web.get("/sessions", sessions.show_all),
    web.get(f"/sessions/{ID}", sessions.show),
    web.post(f"/sessions/{ID}/end", sessions.end),
    web.get("/events", events.show),
]
