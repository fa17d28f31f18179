"""What notifications say: one line that tells all, then what it means and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hive.formats import moment, span
from hive.kinds import EventKind
from hive.log import escape

TITLE_MAX = 300
TEXT_MAX = 8_000

# "{}" is the repository. What happened in detail is the event's own message, below it.
_TITLES: Mapping[EventKind, str] = {
    EventKind.LATE: "{}: a backup is late",
    EventKind.DOWN: "{}: a backup is missing",
    EventKind.STILL_DOWN: "{}: still no backup",
    EventKind.RECOVERED: "{}: backups are fine again",
    EventKind.PAUSED: "{}: paused",
    EventKind.RESUMED: "{}: no longer paused",
    EventKind.SCHEDULE_BROKEN: "{}: the schedule cannot be followed",
    EventKind.SESSION_FAILED: "{}: a session failed",
    EventKind.CLIENT_FAILED: "{}: the client reports that its backup failed",
    EventKind.CLIENT_UNPROVEN: "{}: the client reports a backup, but nothing was written",
    EventKind.CLIENT_CONTRADICTED: "{}: the client reports a failure, but an archive was written",
    EventKind.MASS_DELETION: "{}: a large part of the data was deleted",
    EventKind.APPEND_ONLY_DELETION: "{}: an append-only key deleted data",
    EventKind.SHRUNK: "{}: the repository shrunk",
    EventKind.CLIENT_DELETED: "{}: a client deleted the repository",
    EventKind.CONTENT_GONE: "{}: the content is gone from the disk",
    EventKind.WENT_BACK: "{}: the repository went back to an earlier state",
    EventKind.REPLACED: "{}: another repository is in its place",
    EventKind.CONFIG_SUSPICIOUS: "{}: somebody changed the config who should not",
    EventKind.ROLLED_BACK: "{}: rolled back to an earlier state",
    EventKind.ROLLBACK_STOPPED: "{}: a rollback is not complete",
    EventKind.INTEGRITY_ERROR: "{}: the repository is damaged",
    EventKind.QUOTA_FILLING: "{}: the quota is filling up",
    EventKind.STALE_LOCK: "{}: an old lock is in the way",
    EventKind.MEASURING_FAILED: "{}: the repository cannot be measured",
    EventKind.NEW_NETWORK: "{}: a key came from a new network",
    EventKind.KEY_FIRST_USED: "{}: a key was used for the first time",
    EventKind.REFUSED_OFTEN: "{}: many logins were refused",
    EventKind.ALARM_ENDED: "{}: a trouble is over",
    EventKind.UPKEEP_FAILED: "{}: the server's own check or compaction failed",
    EventKind.UPKEEP_REFUSED: "{}: a compaction waits for an administrator",
    EventKind.TRIGGER_FAILED: "{}: a backup could not be started",
    EventKind.TRIGGER_MISSED: "{}: the time to start a backup was missed",
    EventKind.TRIGGER_OVERLAPPED: "{}: a backup was not started, the last one still runs",
    EventKind.TRIGGER_ENDED: "{}: a started backup has ended",
    EventKind.IMPORT_VERIFIED: "{}: the import is in place",
    EventKind.IMPORT_REJECTED: "{}: the import was rejected",
    EventKind.IMPORT_DISCARDED: "{}: a staged import was discarded",
    EventKind.EXPORT_ENDED: "{}: the export has ended",
    EventKind.CREATED: "{}: the repository was created",
    EventKind.DELETED: "{}: the repository was deleted",
    EventKind.CONFIG_CHANGED: "{}: the repository's config changed",
    EventKind.CHECKED: "{}: checked",
    EventKind.COMPACTED: "{}: compacted",
}

_LOOK_AT_CLIENT = "Look at the client's own log: it says why."
_WHO_WAS_IT = (
    "If nobody of you did this, disable the key at once (hive key set KEY --disable) and look at"
    " the sessions of the last days."
)
_LOOK_AT_DISK = (
    "See who works on the server's disk, and whether a file system was rolled back or is missing."
)
_ADVICE: Mapping[EventKind, str] = {
    EventKind.LATE: "Nothing needs to be done yet if the client is only late.",
    EventKind.DOWN: "See whether the client is on, reaches this server and still runs its backup.",
    EventKind.STILL_DOWN: (
        "See whether the client is on, reaches this server and still runs its backup. Who knows of"
        " it can acknowledge it, and a repository that is no longer used can be paused."
    ),
    EventKind.SCHEDULE_BROKEN: "Give the repository a new schedule (hive repo set).",
    EventKind.SESSION_FAILED: _LOOK_AT_CLIENT,
    EventKind.CLIENT_FAILED: _LOOK_AT_CLIENT,
    EventKind.CLIENT_UNPROVEN: (
        "See which repository the client really writes to, and whether it had anything to back up."
    ),
    EventKind.CLIENT_CONTRADICTED: (
        "Most often a file could not be read, or a command after the backup failed. "
        + _LOOK_AT_CLIENT
    ),
    EventKind.MASS_DELETION: (
        _WHO_WAS_IT + " Until the repository is compacted, hive repo rollback brings it back."
    ),
    EventKind.APPEND_ONLY_DELETION: (
        _WHO_WAS_IT
        + " Do not compact the repository: until then, hive repo rollback brings it back."
    ),
    EventKind.SHRUNK: _LOOK_AT_DISK,
    EventKind.WENT_BACK: _LOOK_AT_DISK,
    EventKind.CONTENT_GONE: _LOOK_AT_DISK,
    EventKind.CLIENT_DELETED: _WHO_WAS_IT,
    EventKind.REPLACED: _WHO_WAS_IT,
    EventKind.CONFIG_SUSPICIOUS: (
        "With another config, archives may be unreadable: hive repo restore-config puts the former"
        " one back. " + _WHO_WAS_IT
    ),
    EventKind.ROLLED_BACK: (
        "Backups made after that state are undone. On each client that has seen the newer state,"
        " run the two commands on the repository's page (Rollback) before its next backup."
    ),
    EventKind.ROLLBACK_STOPPED: (
        "Correct what the message names. The server tries again every hour and when it starts."
    ),
    EventKind.INTEGRITY_ERROR: "Run borg check, and save other copies of the data before you let it"
    " repair anything.",
    EventKind.QUOTA_FILLING: "Prune and compact, or raise the quota: when full, backups fail.",
    EventKind.STALE_LOCK: "See whether its client still runs; if not, hive repo break-lock.",
    EventKind.MEASURING_FAILED: "See whether the server can read the repository's files.",
    EventKind.NEW_NETWORK: "If the client has moved, all is well. " + _WHO_WAS_IT,
    EventKind.KEY_FIRST_USED: "If this is the client you just set up, all is well.",
    EventKind.REFUSED_OFTEN: "See which client knocks, and give its key access or stop it.",
    EventKind.UPKEEP_FAILED: "Look at what borg said, on the repository's page.",
    EventKind.UPKEEP_REFUSED: "An administrator has to look at it and confirm it.",
    EventKind.TRIGGER_FAILED: "Look at what was answered, on the repository's page.",
    EventKind.TRIGGER_MISSED: "Start the backup by hand, or wait for the next time.",
    EventKind.TRIGGER_OVERLAPPED: "See whether the running backup hangs, or start them less often.",
    EventKind.IMPORT_REJECTED: "Correct the source and send it again; what was there is untouched.",
}


@dataclass(frozen=True)
class AboutRepository:
    """The repository that something is told of."""

    name: str
    login: str
    owner: str
    url: str | None  # of its page; None: nobody said under which address the pages are


def event_title(kind: EventKind, repository: str, details: Mapping[str, Any]) -> str:
    lasted = details.get("lasted_seconds")
    how_long = ""
    if kind == EventKind.STILL_DOWN and isinstance(lasted, int):
        how_long = f", for {span(timedelta(seconds=lasted))} now"
    title = _TITLES.get(kind, "{}: " + str(kind))
    return one_line(title.replace("{}", repository) + how_long)


def event_text(
    kind: EventKind, message: str, at: datetime, details: Mapping[str, Any], about: AboutRepository
) -> str:
    """What happened, since when, what to do next and where to look."""
    lines = [one_line(message, 1_000), ""]
    if since := _since(details):
        lines.append(f"Since: {since}")
    lines += [
        f"Repository: {about.name} ({about.login}), owner: {about.owner}",
        f"At: {moment(at)}",
    ]
    if advice := _ADVICE.get(kind):
        lines += ["", advice]
    if about.url is not None:
        lines += ["", about.url]
    return whole_text(lines)


def _since(details: Mapping[str, Any]) -> str | None:
    """When the trouble began; the time of a late or missing backup is the last backup's."""
    for name in ("last_backup_at", "since"):
        try:
            return moment(datetime.fromisoformat(str(details[name])))
        except (KeyError, ValueError):
            continue
    return None


def one_line(text: str, most: int = TITLE_MAX) -> str:
    """A line that can neither end early nor change how the rest is read."""
    line = escape(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def whole_text(lines: list[str]) -> str:
    text = "\n".join(escape(line) for line in lines)
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def page_of(public_url: str | None, repository_id: int) -> str | None:
    """The repository's page, where the address of the pages is known."""
    return None if public_url is None else f"{public_url}/repositories/{repository_id}"
