"""The ways from every page: only those that lead to a page and are for the one who looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from hive.services.accounts import UserInfo
from web.i18n import N_

_MAIN = (
    ("/", N_("Overview")),
    ("/keys", N_("Keys")),
    ("/sessions", N_("Sessions")),
    ("/events", N_("Events")),
    ("/notifications", N_("Notifications")),
    ("/admin", N_("Administration")),
    ("/account", N_("Account")),
)
_ADMINISTRATION = (
    ("/admin", N_("Health")),
    ("/admin/users", N_("Users")),
    ("/admin/groups", N_("Groups")),
    ("/admin/locations", N_("Locations")),
    ("/trash", N_("Trash")),
    ("/admin/host-keys", N_("Host keys")),
    ("/admin/settings", N_("Settings")),
    ("/admin/audit", N_("Audit log")),
    ("/admin/jobs", N_("Jobs")),
)


@dataclass(frozen=True)
class Entry:
    path: str
    label: str
    is_here: bool


def main(request: web.Request, user: UserInfo | None) -> list[Entry]:
    if user is None:
        return []
    entries = _MAIN if user.is_admin else [one for one in _MAIN if one[0] != "/admin"]
    here = request.path
    if _is_below(here, "/repositories") or (_is_below(here, "/trash") and not user.is_admin):
        here = "/"
    elif _is_below(here, "/trash"):
        here = "/admin"
    return _existing(request, entries, here)


def administration(request: web.Request, user: UserInfo | None) -> list[Entry]:
    """The pages of Administration, for those pages themselves."""
    if user is None or not user.is_admin:
        return []
    is_one = _is_below(request.path, "/admin") or _is_below(request.path, "/trash")
    return _existing(request, _ADMINISTRATION, request.path) if is_one else []


def _existing(request: web.Request, entries: Iterable[tuple[str, str]], here: str) -> list[Entry]:
    known = {resource.canonical for resource in request.app.router.resources()}
    rows = [(path, label) for path, label in entries if path in known]
    below = [path for path, _ in rows if _is_below(here, path)]
    nearest = max(below, key=len, default=None)
    return [Entry(path, label, path == nearest) for path, label in rows]


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}/")
