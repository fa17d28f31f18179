"""What a client's report is worth, held against the sessions of the same time. Pure.

A log claims an archive where it says "Creating archive at" or "Archive name:" of this repository.
One report can be of several repositories, and of pruning or checking alone: where nothing says
that an archive of this one should have come, none is missed.

=========  ========================================  ====================  ===============
reported   log                                       sessions              verdict
=========  ========================================  ====================  ===============
success    any                                       archive written       agrees
success    any                                       cannot be told, or    unknown
                                                     one still runs
success    claims an archive here                    none written          nothing written
success    claims archives elsewhere, or none        none written          unknown
           (pruning, checking, another program)
success    empty, start and end were reported        a backup was begun    nothing written
           (a log need not be sent)                  and made no archive
success    empty, start and end were reported        no session at all     nothing written
success    empty, start and end were reported        others (checking,     unknown
                                                     pruning, reading)
success    empty, the end alone was reported         none written          unknown
failure    any                                       archive written       written
failure    any                                       none written          agrees
failure    any                                       cannot be told        unknown
unfinished any                                       any                   unknown
=========  ========================================  ====================  ===============
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hive.kinds import ArchiveCreated, Operation, RunState, RunVerdict

_CREATING = re.compile(r'^.*Creating archive at (?:"([^"\n]*)"|(\S+))', re.MULTILINE)
_NAMED = re.compile(r"^Archive name: ", re.MULTILINE)
_REPOSITORY = re.compile(r"^Repository: (.+)$", re.MULTILINE)


class Claim(Enum):
    """What a log says of archives in this repository."""

    EMPTY = "empty"
    ARCHIVE = "archive"
    OTHER = "other"


@dataclass(frozen=True)
class Seen:
    """A session of the run's time, as far as it matters here."""

    has_ended: bool
    operation: str | None
    archive_created: ArchiveCreated | None


def claim(log: str, *, login: str, directory: str) -> Claim:
    """What the log says. A place that does not show which repository it is may be this one."""
    if not log.strip():
        return Claim.EMPTY
    places = ["".join(found) for found in _CREATING.findall(log)]
    if not places and not _NAMED.search(log):
        return Claim.OTHER
    places += _REPOSITORY.findall(log)
    if not places or any(_can_be(place, login, directory) for place in places):
        return Claim.ARCHIVE
    return Claim.OTHER


def _can_be(place: str, login: str, directory: str) -> bool:
    """Whether it is this repository: by login, or by name where ~/.ssh/config hides the login."""
    repository = place.partition("::")[0].rstrip("/")
    if f"{login}@" in repository or f"/{login}/" in repository:
        return True
    is_named_so = re.split(r"[/:]", repository)[-1] == directory
    return is_named_so and "@" not in repository and ":" in repository


def verdict(
    state: RunState,
    said: Claim,
    sessions: Sequence[Seen],
    *,
    has_start: bool,
    written: bool = False,
) -> RunVerdict:
    """Apply the table above; `written`: an archive is known to have come, by whatever way."""
    if state not in (RunState.SUCCEEDED, RunState.FAILED):
        return RunVerdict.UNKNOWN
    if written or any(seen.archive_created == ArchiveCreated.YES for seen in sessions):
        return RunVerdict.AGREES if state == RunState.SUCCEEDED else RunVerdict.WRITTEN
    if any(_is_unclear(seen) for seen in sessions):
        return RunVerdict.UNKNOWN
    if state == RunState.FAILED:
        return RunVerdict.AGREES
    begun = any(seen.operation == Operation.CREATE for seen in sessions)
    missing = said == Claim.ARCHIVE or (
        said == Claim.EMPTY and has_start and (begun or not sessions)
    )
    return RunVerdict.NOTHING_WRITTEN if missing else RunVerdict.UNKNOWN


def _is_unclear(seen: Seen) -> bool:
    return not seen.has_ended or seen.archive_created in (None, ArchiveCreated.UNKNOWN)
