"""What a client's report is worth, held against the sessions of the same time. Pure.

A log claims an archive where it says "Creating archive at" or "Archive name:" of this repository.
One report can be of several repositories, and of pruning or checking alone: where nothing says
that an archive of this one should have come, none is missed.

=========  ========================================  ====================  ===============
reported   log                                       sessions              verdict
=========  ========================================  ====================  ===============
success    any                                       archive written       agrees
success    any                                       not clear, or         unknown
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
failure    any                                       not clear             unknown
unfinished any                                       any                   unknown
=========  ========================================  ====================  ===============
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from hive.kinds import ArchiveCreated, Operation, RunState, RunVerdict

_CREATING = "Creating archive at "
_NAMED = "\nArchive name: "
_REPOSITORY = "\nRepository: "
_LONGEST_PLACE = 4096
_MOST_PLACES = 1000  # of one log; a configuration names a handful


class Claim(Enum):
    """What a log says of archives in this repository."""

    EMPTY = "empty"
    ARCHIVE = "archive"
    OTHER = "other"


@dataclass(frozen=True)
class SeenSession:
    """A session of the run's time, as far as it matters here."""

    has_ended: bool
    operation: str | None
    archive_created: ArchiveCreated | None


def claim(log: str, *, login: str, directory: str) -> Claim:
    """What the log says. A place that does not show which repository it is may be this one.

    Blocking when the log is long. It is the client's text: it is searched for fixed words, and
    no more than a bounded piece is looked at behind each.
    """
    if not log.strip():
        return Claim.EMPTY
    lines = f"\n{log}"
    places = [place for text in _behind(_CREATING, log) if (place := _quoted_or_word(text))]
    if not places and _NAMED not in lines:
        return Claim.OTHER
    places += [place for place in _behind(_REPOSITORY, lines) if place]
    if not places or any(_can_be(place, login, directory) for place in places):
        return Claim.ARCHIVE
    return Claim.OTHER


def _behind(words: str, log: str) -> Iterator[str]:
    """Yield what follows these words on their line, each time."""
    position = log.find(words)
    for _ in range(_MOST_PLACES):
        if position < 0:
            return
        begin = position + len(words)
        yield log[begin : begin + _LONGEST_PLACE].partition("\n")[0]
        position = log.find(words, begin)


def _quoted_or_word(text: str) -> str:
    """Return what is in quotes, or else the first word."""
    quoted, closing, _ = text[1:].partition('"')
    if text.startswith('"') and closing:
        return quoted
    return text.partition(" ")[0].rstrip("\r")


def _can_be(place: str, login: str, directory: str) -> bool:
    """Whether it is this repository: by login, or by name where ~/.ssh/config hides the login."""
    repository = place.partition("::")[0].rstrip("/")
    if f"{login}@" in repository or f"/{login}/" in repository:
        return True
    is_named_so = repository[max(repository.rfind("/"), repository.rfind(":")) + 1 :] == directory
    return is_named_so and "@" not in repository and ":" in repository


def verdict(
    state: RunState,
    said: Claim,
    sessions: Sequence[SeenSession],
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


def _is_unclear(seen: SeenSession) -> bool:
    return not seen.has_ended or seen.archive_created in (None, ArchiveCreated.UNKNOWN)
