"""The routes for administrators."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.admin import (
    addresses,
    audit,
    groups,
    host_keys,
    jobs,
    locations,
    server,
    settings,
    users,
    wall_links,
)

ROUTES = [
    web.get("/admin", server.show),
    web.post("/admin/clock", server.confirm_clock),
    web.post("/admin/maintenance", server.announce),
    web.post("/admin/maintenance/end", server.end_maintenance),
    web.get("/admin/users", users.show_all),
    web.get("/admin/users/add", users.show_add),
    web.post("/admin/users/add", users.add),
    web.get(f"/admin/users/{ID}", users.show),
    web.post(f"/admin/users/{ID}", users.change),
    web.post(f"/admin/users/{ID}/password", users.set_password),
    web.post(f"/admin/users/{ID}/reset-link", users.make_reset_link),
    web.post(f"/admin/users/{ID}/unlock", users.unlock),
    web.post(f"/admin/users/{ID}/second-factor/off", users.switch_off_second_factor),
    web.get(f"/admin/users/{ID}/delete", users.show_delete),
    web.post(f"/admin/users/{ID}/delete", users.delete),
    web.get("/admin/groups", groups.show_all),
    web.get("/admin/groups/add", groups.show_add),
    web.post("/admin/groups/add", groups.add),
    web.get(f"/admin/groups/{ID}", groups.show),
    web.post(f"/admin/groups/{ID}", groups.change),
    web.get(f"/admin/groups/{ID}/delete", groups.show_delete),
    web.post(f"/admin/groups/{ID}/delete", groups.delete),
    web.get("/admin/locations", locations.show_all),
    web.get("/admin/locations/add", locations.show_add),
    web.post("/admin/locations/add", locations.add),
    web.get(f"/admin/locations/{ID}", locations.show),
    web.post(f"/admin/locations/{ID}", locations.change),
    web.get(f"/admin/locations/{ID}/delete", locations.show_delete),
    web.post(f"/admin/locations/{ID}/delete", locations.delete),
    web.get("/admin/host-keys", host_keys.show),
    web.get("/admin/addresses", addresses.show),
    web.post("/admin/addresses", addresses.decide),
    web.post("/admin/addresses/release", addresses.release),
    web.get("/admin/settings", settings.show),
    web.get("/admin/audit", audit.show),
    web.get("/admin/wall", wall_links.show),
    web.post("/admin/wall", wall_links.add),
    web.post(f"/admin/wall/{ID}/revoke", wall_links.revoke),
    web.get("/admin/jobs", jobs.show),
    web.post("/admin/jobs", jobs.run),
]
