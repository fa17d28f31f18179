"""The ways from every page: only those that lead to a page and are for the one who looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from hive.sentences import N_
from hive.services.accounts.users import UserInfo

_MAIN = (
    ("/", N_("Overview")),
    ("/keys", N_("Keys")),
    ("/sessions", N_("Sessions")),
    ("/events", N_("Events")),
    ("/notifications", N_("Notifications")),
    ("/admin", N_("Administration")),
    ("/account", N_("Account")),
)
_ACCOUNT = (
    ("/account", N_("Preferences")),
    ("/account/email", N_("E-mail")),
    ("/account/password", N_("Password")),
    ("/account/second-factor", N_("Second factor")),
    ("/account/sessions", N_("Browser sessions")),
    ("/account/groups", N_("Groups")),
)
_NOTIFICATIONS = (
    ("/notifications", N_("History")),
    ("/notifications/channels", N_("Channels")),
    ("/notifications/rules", N_("Rules")),
    ("/notifications/deliveries", N_("Deliveries")),
    ("/notifications/preferences", N_("Preferences")),
)
_OF_ONE_REPOSITORY = ("/repositories", "/machines", "/triggers", "/reports")
_ADMINISTRATION = (
    ("/admin", N_("Health")),
    ("/admin/users", N_("Users")),
    ("/admin/groups", N_("Groups")),
    ("/admin/locations", N_("Locations")),
    ("/trash", N_("Trash")),
    ("/admin/host-keys", N_("Host keys")),
    ("/admin/addresses", N_("Addresses")),
    ("/admin/wall", N_("Wall")),
    ("/admin/settings", N_("Settings")),
    ("/admin/audit", N_("Audit log")),
    ("/admin/jobs", N_("Background jobs")),
)

REPOSITORY = (
    ("", N_("Overview")),
    ("/sessions", N_("Sessions")),
    ("/history", N_("History")),
    ("/keys", N_("Keys")),
    ("/connect", N_("Connect")),
    ("/settings", N_("Settings")),
)


@dataclass(frozen=True)
class Entry:
    path: str
    label: str
    is_here: bool


def main(request: web.Request, user: UserInfo | None) -> list[Entry]:
    if user is None:
        return []
    entries = _MAIN if user.sees_all else [one for one in _MAIN if one[0] != "/admin"]
    here = request.path
    is_of_one = any(_is_below(here, path) for path in _OF_ONE_REPOSITORY)
    if is_of_one or (_is_below(here, "/trash") and not user.sees_all):
        here = "/"
    elif _is_below(here, "/trash"):
        here = "/admin"
    return _existing(request, entries, here)


@dataclass(frozen=True)
class Further:
    """The ways among the pages of one part."""

    label: str
    ways: list[Entry]


def further(request: web.Request, user: UserInfo | None) -> Further | None:
    """For the pages of that part themselves."""
    here = request.path
    if user is None:
        return None
    if _is_below(here, "/notifications"):
        return Further(N_("Notifications"), _existing(request, _NOTIFICATIONS, here))
    if _is_below(here, "/account"):
        if _is_below(here, "/account/passkeys"):
            here = "/account/second-factor"
        return Further(N_("Account"), _existing(request, _ACCOUNT, here))
    if user.sees_all and (_is_below(here, "/admin") or _is_below(here, "/trash")):
        return Further(N_("Administration"), _existing(request, _ADMINISTRATION, here))
    return None


def _existing(request: web.Request, entries: Iterable[tuple[str, str]], here: str) -> list[Entry]:
    known = {resource.canonical for resource in request.app.router.resources()}
    rows = [(path, label) for path, label in entries if path in known]
    below = [path for path, _ in rows if _is_below(here, path)]
    nearest = max(below, key=len, default=None)
    return [Entry(path, label, path == nearest) for path, label in rows]


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}/")
