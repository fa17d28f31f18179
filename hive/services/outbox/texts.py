"""What notifications say: one line that tells all, then what it means and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from hive.catalogues import DEFAULT
from hive.kinds import EventKind, Health
from hive.layout import Block, Facts, Paragraph
from hive.log_text import escape
from hive.sentences import N_, Sentence, join, say
from hive.services.outbox.incidents import MISSING
from hive.translation import translate

TITLE_MAX = 300
TEXT_MAX = 20_000
BRIEF_MAX = 300
_LINE_MAX = 1_000

# What happened in detail is the event's own message, below it.
_TITLES: Mapping[EventKind, str] = {
    EventKind.LATE: N_("%(repository)s: a backup is late"),
    EventKind.DOWN: N_("%(repository)s: a backup is missing"),
    EventKind.STILL_DOWN: N_("%(repository)s: still no backup"),
    EventKind.RECOVERED: N_("%(repository)s: backups are fine again"),
    EventKind.PAUSED: N_("%(repository)s: paused"),
    EventKind.RESUMED: N_("%(repository)s: no longer paused"),
    EventKind.SCHEDULE_BROKEN: N_("%(repository)s: the schedule cannot be followed"),
    EventKind.SESSION_FAILED: N_("%(repository)s: a session failed"),
    EventKind.CLIENT_FAILED: N_("%(repository)s: the client reports that its backup failed"),
    EventKind.CLIENT_UNPROVEN: N_(
        "%(repository)s: the client reports a backup, but nothing was written"
    ),
    EventKind.CLIENT_CONTRADICTED: N_(
        "%(repository)s: the client reports a failure, but an archive was written"
    ),
    EventKind.MASS_DELETION: N_("%(repository)s: a large part of the data was deleted"),
    EventKind.APPEND_ONLY_DELETION: N_("%(repository)s: an append-only key deleted data"),
    EventKind.SHRUNK: N_("%(repository)s: the repository shrank"),
    EventKind.CLIENT_DELETED: N_("%(repository)s: a client deleted the repository"),
    EventKind.CONTENT_GONE: N_("%(repository)s: the content is gone from the disk"),
    EventKind.WENT_BACK: N_("%(repository)s: the repository went back to an earlier state"),
    EventKind.REPLACED: N_("%(repository)s: another repository is in its place"),
    EventKind.CONFIG_SUSPICIOUS: N_("%(repository)s: the config was changed in a suspicious way"),
    EventKind.ROLLED_BACK: N_("%(repository)s: rolled back to an earlier state"),
    EventKind.ROLLBACK_STOPPED: N_("%(repository)s: a rollback is not complete"),
    EventKind.INTEGRITY_ERROR: N_("%(repository)s: the repository is damaged"),
    EventKind.QUOTA_FILLING: N_("%(repository)s: the quota is filling up"),
    EventKind.STALE_LOCK: N_("%(repository)s: an old lock is in the way"),
    EventKind.MEASURING_FAILED: N_("%(repository)s: the repository cannot be measured"),
    EventKind.NEW_NETWORK: N_("%(repository)s: a key came from a new network"),
    EventKind.KEY_FIRST_USED: N_("%(repository)s: a key was used for the first time"),
    EventKind.REFUSED_OFTEN: N_("%(repository)s: many logins were refused"),
    EventKind.ALARM_ENDED: N_("%(repository)s: a problem is over"),
    EventKind.UPKEEP_FAILED: N_("%(repository)s: the server's own check or compaction failed"),
    EventKind.UPKEEP_REFUSED: N_("%(repository)s: a compaction waits for an administrator"),
    EventKind.TRIGGER_FAILED: N_("%(repository)s: a backup could not be started"),
    EventKind.TRIGGER_MISSED: N_("%(repository)s: the time to start a backup was missed"),
    EventKind.TRIGGER_OVERLAPPED: N_(
        "%(repository)s: a backup was not started, the last one still runs"
    ),
    EventKind.TRIGGER_ENDED: N_("%(repository)s: a started backup has ended"),
    EventKind.IMPORT_VERIFIED: N_("%(repository)s: the import is in place"),
    EventKind.IMPORT_REJECTED: N_("%(repository)s: the import was rejected"),
    EventKind.IMPORT_DISCARDED: N_("%(repository)s: a staged import was discarded"),
    EventKind.EXPORT_ENDED: N_("%(repository)s: the export has ended"),
    EventKind.CREATED: N_("%(repository)s: the repository was created"),
    EventKind.DELETED: N_("%(repository)s: the repository was deleted"),
    EventKind.CONFIG_CHANGED: N_("%(repository)s: the repository's config changed"),
    EventKind.CHECKED: N_("%(repository)s: checked"),
    EventKind.ACKNOWLEDGED: N_("%(repository)s: the missing backup was acknowledged"),
    EventKind.MUTED: N_("%(repository)s: muted"),
    EventKind.ALARM_ANSWERED: N_("%(repository)s: an alarm was answered"),
    EventKind.COMPACTED: N_("%(repository)s: compacted"),
}

_LOOK_AT_CLIENT = say("Look at the client's own log: it says why.")
_WHO_WAS_IT = say(
    "If none of you did this, disable the key at once (hive key set KEY --disable) and look at the"
    " sessions of the last days."
)
_LOOK_AT_DISK = say(
    "See who works on the server's disk, and whether a file system was rolled back or is missing."
)
_ADVICE: Mapping[EventKind, str] = {
    EventKind.LATE: say("Nothing needs to be done yet if the client is only late."),
    EventKind.DOWN: say(
        "See whether the client is on, reaches this server and still runs its backup."
    ),
    EventKind.STILL_DOWN: say(
        "See whether the client is on, reaches this server and still runs its backup. To stop these"
        " reminders, acknowledge the missing backup, or pause a repository that is no longer used."
    ),
    EventKind.SCHEDULE_BROKEN: say("Give the repository a new schedule (hive repo set)."),
    EventKind.SESSION_FAILED: _LOOK_AT_CLIENT,
    EventKind.CLIENT_FAILED: _LOOK_AT_CLIENT,
    EventKind.CLIENT_UNPROVEN: say(
        "See which repository the client really writes to, and whether it had anything to back up."
    ),
    EventKind.CLIENT_CONTRADICTED: join(
        say("Most often a file could not be read, or a command after the backup failed."),
        _LOOK_AT_CLIENT,
    ),
    EventKind.MASS_DELETION: join(
        _WHO_WAS_IT,
        say("Until the repository is compacted, hive repo rollback brings it back."),
    ),
    EventKind.APPEND_ONLY_DELETION: join(
        _WHO_WAS_IT,
        say("Do not compact the repository: until then, hive repo rollback brings it back."),
    ),
    EventKind.SHRUNK: _LOOK_AT_DISK,
    EventKind.WENT_BACK: _LOOK_AT_DISK,
    EventKind.CONTENT_GONE: _LOOK_AT_DISK,
    EventKind.CLIENT_DELETED: _WHO_WAS_IT,
    EventKind.REPLACED: _WHO_WAS_IT,
    EventKind.CONFIG_SUSPICIOUS: join(
        say(
            "With another config, archives may be unreadable: hive repo restore-config puts the"
            " former one back."
        ),
        _WHO_WAS_IT,
    ),
    EventKind.ROLLED_BACK: say(
        "Backups made after that state are undone. On each client that has seen the newer state,"
        " run the two commands on the repository's page (Rollback) before its next backup."
    ),
    EventKind.ROLLBACK_STOPPED: say(
        "Correct what the message names. The server tries again every hour and when it starts."
    ),
    EventKind.INTEGRITY_ERROR: say(
        "Run borg check, and save other copies of the data before you let it repair anything."
    ),
    EventKind.QUOTA_FILLING: say(
        "Prune and compact, or raise the quota: when it is full, backups fail."
    ),
    EventKind.STALE_LOCK: say("See whether its client still runs; if not, hive repo break-lock."),
    EventKind.MEASURING_FAILED: say("See whether the server can read the repository's files."),
    EventKind.NEW_NETWORK: join(say("If the client has moved, all is well."), _WHO_WAS_IT),
    EventKind.KEY_FIRST_USED: say("If this is the client you just set up, all is well."),
    EventKind.REFUSED_OFTEN: say(
        "See which client tries to log in; give its key access or stop it."
    ),
    EventKind.UPKEEP_FAILED: say("Look at what borg said, on the repository's page."),
    EventKind.UPKEEP_REFUSED: say("An administrator has to look at it and confirm it."),
    EventKind.TRIGGER_FAILED: say("Look at what was answered, on the repository's page."),
    EventKind.TRIGGER_MISSED: say("Start the backup by hand, or wait for the next time."),
    EventKind.TRIGGER_OVERLAPPED: say(
        "See whether the running backup hangs, or start them less often."
    ),
    EventKind.IMPORT_REJECTED: say(
        "Correct the source and send it again; what was there is untouched."
    ),
}


@dataclass(frozen=True)
class AboutRepository:
    """The repository that a notification is about."""

    name: str
    login: str
    owner: str
    url: str | None  # of its page; None: nobody said under which address the pages are
    host: str = ""  # where the pages are


def event_title(kind: EventKind, repository: str, details: Mapping[str, Any]) -> Sentence:
    lasted = details.get("lasted_seconds")
    text = _TITLES.get(kind)
    if kind == EventKind.STILL_DOWN and isinstance(lasted, int):
        return say(
            "%(repository)s: still no backup, for %(span)s now",
            repository=repository,
            span=timedelta(seconds=lasted),
        )
    if text is None:
        return say("%(repository)s: %(kind)s", repository=repository, kind=kind)
    return Sentence(text, {"repository": repository})


def event_blocks(
    kind: EventKind,
    message: str,
    at: datetime,
    details: Mapping[str, Any],
    about: AboutRepository,
    *,
    facts: Sequence[tuple[str, str]] = (),
) -> list[Block]:
    """What happened, what is known of the repository, and what to do next."""
    happened = [message]
    if (over := was_from_to(kind, at, details, about.name)) is not None:
        happened.insert(0, over)
    known = [
        (say("Repository"), f"{about.name} ({about.login})"),
        (say("Owner"), about.owner),
        *facts,
        (say("Time"), say("%(at)s", at=at)),
    ]
    # of a missing backup, it is the last backup that says since when
    if kind not in MISSING and (since := _moment(details.get("since"))) is not None:
        known.insert(2, (say("Since"), say("%(at)s", at=since)))
    blocks: list[Block] = [Paragraph(tuple(happened)), Facts(tuple(known))]
    if advice := _ADVICE.get(kind):
        blocks.append(Paragraph((advice,)))
    if about.url is None and about.host:
        blocks.append(where_to_look(about.host))
    return blocks


def where_to_look(host: str) -> Paragraph:
    """In place of a link, where the address of the pages is not known."""
    return Paragraph((say("More: the pages of Borg Hive on the server %(host)s.", host=host),))


def was_from_to(
    kind: EventKind, at: datetime, details: Mapping[str, Any], name: str
) -> Sentence | None:
    """The whole story of a backup that was missing, where it ends with this."""
    since = _moment(details.get("since"))
    if kind != EventKind.RECOVERED or since is None:
        return None
    if details.get("former") == Health.LATE:
        return say(
            "%(repository)s was late from %(since)s to %(at)s; it is fine again.",
            repository=name,
            since=since,
            at=at,
        )
    return say(
        "%(repository)s was down from %(since)s to %(at)s; it is fine again.",
        repository=name,
        since=since,
        at=at,
    )


def event_brief(
    kind: EventKind, message: str, at: datetime, details: Mapping[str, Any], name: str
) -> Sentence:
    """The same in one line of a list, below a title that says what all of them are about."""
    if (over := was_from_to(kind, at, details, name)) is not None:
        return over
    return say("%(repository)s: %(message)s", repository=name, message=message)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


@dataclass(frozen=True)
class Reader:
    """The person a text is written for."""

    language: str = DEFAULT
    zone: tzinfo | None = None  # None: UTC, which is written behind times

    def title(self, title: str) -> str:
        return one_line(self._translated(title))

    def text(self, lines: Sequence[str]) -> str:
        return whole_text([self.line(line) for line in lines])

    def line(self, text: str) -> str:
        """One line of a text, whatever it holds."""
        return escape(_one_of_several(self._translated(text)))

    def _translated(self, text: str) -> str:
        """Text from elsewhere, such as the name of a repository, is not translated."""
        is_ours = isinstance(text, Sentence)
        return translate(text, self.language, self.zone) if is_ours else text


def _one_of_several(text: str) -> str:
    """What is more than a line, or too long for one, becomes one."""
    return one_line(text, _LINE_MAX) if "\n" in text or len(text) > _LINE_MAX else text


def one_line(text: str, most: int = TITLE_MAX) -> str:
    """A line that can neither end early nor change how the rest is read."""
    line = escape(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def whole_text(lines: Sequence[str]) -> str:
    text = "\n".join(escape(line) for line in lines)
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def page_of(public_url: str | None, repository_id: int) -> str | None:
    """The repository's page, where the address of the pages is known."""
    return None if public_url is None else f"{public_url}/repositories/{repository_id}"
