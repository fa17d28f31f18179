"""Which document helps with which page."""

from __future__ import annotations

# By the beginning of a page's path: the longest that fits counts. {id} stands for a number.
_PAGES: tuple[tuple[str, str], ...] = (
    ("/", "how-to/watch"),
    ("/wall", "how-to/watch"),
    ("/machines/add", "how-to/connect-clients"),
    ("/repositories", "how-to/watch"),
    ("/repositories/add", "tutorials/first-backup"),
    ("/repositories/change", "how-to/schedules"),
    ("/repositories/{id}/connect", "how-to/connect-clients"),
    ("/repositories/{id}/edit", "how-to/quotas"),
    ("/repositories/{id}/keys", "reference/client-access"),
    ("/repositories/{id}/mode", "how-to/import-and-export"),
    ("/repositories/{id}/locks", "how-to/upkeep"),
    ("/repositories/{id}/schedule", "how-to/schedules"),
    ("/repositories/{id}/rollback", "how-to/undo-deletions"),
    ("/repositories/{id}/triggers", "how-to/triggers"),
    ("/repositories/{id}/reports", "how-to/report-from-clients"),
    ("/triggers", "how-to/triggers"),
    ("/reports", "how-to/report-from-clients"),
    ("/trash", "how-to/undo-deletions"),
    ("/keys", "reference/client-access"),
    ("/keys/add", "how-to/connect-clients"),
    ("/keys/refused", "how-to/connect-clients"),
    ("/sessions", "explanation/how-backups-are-recognized"),
    ("/events", "reference/states-and-alarms"),
    ("/alarms", "reference/states-and-alarms"),
    ("/notifications", "how-to/notifications"),
    ("/notifications/channels", "reference/channels"),
    ("/admin", "how-to/run-as-a-service"),
    ("/admin/users", "how-to/accounts"),
    ("/admin/groups", "how-to/accounts"),
    ("/admin/locations", "how-to/storage"),
    ("/admin/host-keys", "how-to/connect-clients"),
    ("/admin/addresses", "how-to/connect-clients"),
    ("/admin/settings", "reference/configuration"),
    ("/admin/audit", "how-to/accounts"),
    ("/account", "how-to/accounts"),
)


def help_for(path: str) -> str:
    """The address of the document for the page with this path; without one, all documents."""
    words = _shape(path)
    if words[:1] == ["help"]:
        return "/help"
    best, length = "/help", -1
    for beginning, name in _PAGES:
        shape = _shape(beginning)
        if words[: len(shape)] == shape and len(shape) > length and (shape or not words):
            best, length = f"/help/{name}", len(shape)
    return best


def _shape(path: str) -> list[str]:
    return ["{id}" if word.isdigit() else word for word in path.split("/") if word]
