"""Every route: what the path is, and which page answers."""

from __future__ import annotations

from aiohttp import web

from web.api import ping
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
    repository_add,
    repository_delete,
    repository_edit,
    repository_keys,
    repository_locks,
    repository_mode,
    sessions,
    setup,
    static,
    trash,
)
from web.pages.admin import audit as admin_audit
from web.pages.admin import groups as admin_groups
from web.pages.admin import health as admin_health
from web.pages.admin import host_keys as admin_host_keys
from web.pages.admin import jobs as admin_jobs
from web.pages.admin import locations as admin_locations
from web.pages.admin import settings as admin_settings
from web.pages.admin import users as admin_users

_ID = "{id:[0-9]{1,9}}"

ROUTES = [
    web.get(ping.PING, ping.ping),
    web.post(ping.PING, ping.ping),
    web.get(ping.PUSH, ping.push),
    web.post(ping.PUSH, ping.push),
    web.get("/", overview.show),
    web.get("/repositories/add", repository_add.show),
    web.post("/repositories/add", repository_add.submit),
    web.get(f"/repositories/{_ID}", repository.show),
    web.get(f"/repositories/{_ID}/edit", repository_edit.show),
    web.post(f"/repositories/{_ID}/edit", repository_edit.submit),
    web.post(f"/repositories/{_ID}/owner", repository_edit.give),
    web.get(f"/repositories/{_ID}/keys", repository_keys.show),
    web.post(f"/repositories/{_ID}/keys", repository_keys.submit),
    web.get(f"/repositories/{_ID}/mode", repository_mode.show),
    web.post(f"/repositories/{_ID}/mode", repository_mode.submit),
    web.get(f"/repositories/{_ID}/locks", repository_locks.show),
    web.post(f"/repositories/{_ID}/locks", repository_locks.submit),
    web.get(f"/repositories/{_ID}/delete", repository_delete.show),
    web.post(f"/repositories/{_ID}/delete", repository_delete.submit),
    web.get("/trash", trash.show),
    web.post(f"/trash/{_ID}/restore", trash.restore),
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
    web.get("/admin", admin_health.show),
    web.get("/admin/users", admin_users.show_all),
    web.get("/admin/users/add", admin_users.show_add),
    web.post("/admin/users/add", admin_users.add),
    web.get(f"/admin/users/{_ID}", admin_users.show),
    web.post(f"/admin/users/{_ID}", admin_users.change),
    web.post(f"/admin/users/{_ID}/password", admin_users.set_password),
    web.get(f"/admin/users/{_ID}/delete", admin_users.show_delete),
    web.post(f"/admin/users/{_ID}/delete", admin_users.delete),
    web.get("/admin/groups", admin_groups.show_all),
    web.get("/admin/groups/add", admin_groups.show_add),
    web.post("/admin/groups/add", admin_groups.add),
    web.get(f"/admin/groups/{_ID}", admin_groups.show),
    web.post(f"/admin/groups/{_ID}", admin_groups.change),
    web.get(f"/admin/groups/{_ID}/delete", admin_groups.show_delete),
    web.post(f"/admin/groups/{_ID}/delete", admin_groups.delete),
    web.get("/admin/locations", admin_locations.show_all),
    web.get("/admin/locations/add", admin_locations.show_add),
    web.post("/admin/locations/add", admin_locations.add),
    web.get(f"/admin/locations/{_ID}", admin_locations.show),
    web.post(f"/admin/locations/{_ID}", admin_locations.change),
    web.get(f"/admin/locations/{_ID}/delete", admin_locations.show_delete),
    web.post(f"/admin/locations/{_ID}/delete", admin_locations.delete),
    web.get("/admin/host-keys", admin_host_keys.show),
    web.get("/admin/settings", admin_settings.show),
    web.get("/admin/audit", admin_audit.show),
    web.get("/admin/jobs", admin_jobs.show),
    web.post("/admin/jobs", admin_jobs.run),
    web.get("/healthz", health.show),
    web.get("/static/{name}", static.show),
]
