"""The routes of notifications."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.notifications import channels, deliveries, preferences, rules, told

ROUTES = [
    web.get("/notifications", told.show),
    web.get("/notifications/channels", channels.show_all),
    web.get("/notifications/channels/add", channels.show_add),
    web.post("/notifications/channels/add", channels.add),
    web.get(f"/notifications/channels/{ID}", channels.show),
    web.post(f"/notifications/channels/{ID}", channels.change),
    web.post(f"/notifications/channels/{ID}/test", channels.test),
    web.post(f"/notifications/channels/{ID}/allow", channels.allow),
    web.post("/notifications/allowed/revoke", channels.revoke),
    web.get(f"/notifications/channels/{ID}/delete", channels.show_delete),
    web.post(f"/notifications/channels/{ID}/delete", channels.delete),
    web.get("/notifications/rules", rules.show_all),
    web.get("/notifications/rules/add", rules.show_add),
    web.post("/notifications/rules/add", rules.add),
    web.get(f"/notifications/rules/{ID}", rules.show),
    web.post(f"/notifications/rules/{ID}", rules.change),
    web.get(f"/notifications/rules/{ID}/delete", rules.show_delete),
    web.post(f"/notifications/rules/{ID}/delete", rules.delete),
    web.get("/notifications/deliveries", deliveries.show),
    web.post(f"/notifications/deliveries/{ID}/repeat", deliveries.repeat),
    web.get("/notifications/preferences", preferences.show),
    web.post("/notifications/preferences", preferences.change),
]
