"""What a digest says, as tables: repositories, the worst first, then disks and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hive.clock import rfc3339
from hive.kinds import Digest, State
from hive.layout import Block, Paragraph, Row, Sheet
from hive.sentences import Sentence, Size, ago, join, listed, say
from hive.services.health.infos import HealthInfo
from hive.services.storage.disks import DiskInfo

_ORDER = (  # of the lines; counts come in the order of the states
    *(State.CRITICAL, State.UNKNOWN, State.DOWN, State.LATE, State.UNWATCHED),
    *(State.NEW, State.PAUSED, State.FINE),
)
_HEADS = {
    State.CRITICAL: say("CRITICAL"),
    State.UNKNOWN: say("UNKNOWN"),
    State.DOWN: say("DOWN"),
    State.LATE: say("LATE"),
    State.UNWATCHED: say("NOT WATCHED"),
    State.NEW: say("NEW"),
    State.PAUSED: say("PAUSED"),
    State.FINE: say("FINE"),
}
_TONES = {
    State.CRITICAL: "bad",
    State.UNKNOWN: "bad",
    State.DOWN: "bad",
    State.LATE: "wait",
    State.UNWATCHED: "wait",
    State.FINE: "good",
}
_MOST = 200  # repositories that are named
_MOST_KEYS = 50
_FULL = 90  # percent, from where on a disk is marked


@dataclass(frozen=True, kw_only=True)
class DigestLine:
    """One repository; `expected` is None where nothing was."""

    repository: str
    repository_id: int
    health: HealthInfo
    last_backup_at: datetime | None
    size_bytes: int | None
    change_bytes: int | None
    made: int
    expected: int | None
    problems: int


@dataclass(frozen=True)
class ExpiringKey:
    name: str
    owner: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class DigestFacts:
    lines: Sequence[DigestLine]
    disks: Sequence[DiskInfo] = ()
    keys: Sequence[ExpiringKey] = ()
    now: datetime


def weight(line: DigestLine) -> tuple[int, str]:
    """The worst first, then by name."""
    return _ORDER.index(line.health.state), line.repository


def title(found: DigestFacts, digest: Digest) -> Sentence:
    counts = _counts(found)
    if digest == Digest.DAILY:
        return say("Borg Hive, the last day: %(counts)s", counts=counts)
    return say("Borg Hive, the last week: %(counts)s", counts=counts)


def _counts(found: DigestFacts) -> Sentence:
    states = [line.health.state for line in found.lines]
    return join(
        *(
            say("%(count)s %(state)s", count=states.count(state), state=_word(state))
            for state in State
            if state in states
        ),
        by=", ",
    )


def _word(state: State) -> Sentence:
    return say("not watched") if state == State.UNWATCHED else Sentence(str(state))


def blocks(found: DigestFacts) -> list[Block]:
    """Everything, one part after the other."""
    parts: list[Block] = [Paragraph((_summary(found),)), _repositories(found)]
    unwatched = [one.repository for one in found.lines if one.health.state == State.UNWATCHED]
    if unwatched:
        missing = say(
            "Nobody watches %(names)s: if backups stop there, nobody is notified. A schedule"
            " changes that.",
            names=listed(unwatched, _MOST_KEYS),
        )
        parts.append(Paragraph((missing,)))
    if found.disks:
        parts.append(_disks(found.disks))
    if found.keys:
        parts.append(_keys(found))
    return parts


def _summary(found: DigestFacts) -> Sentence:
    expected = sum(line.expected or 0 for line in found.lines)
    made = sum(min(line.made, line.expected) for line in found.lines if line.expected is not None)
    if not expected:
        return join(_counts(found), ".", by="")
    backups = say("%(made)s of %(expected)s backups were made", made=made, expected=expected)
    return say("%(counts)s; %(backups)s.", counts=_counts(found), backups=backups)


def _repositories(found: DigestFacts) -> Sheet:
    rows = [_row(line, found.now) for line in found.lines[:_MOST]]
    if len(found.lines) > _MOST:
        more = say("... and %(count)s more.", count=len(found.lines) - _MOST)
        rows.append(Row(("", more), more))
    head = (say("State"), say("Repository"), say("Backups"), say("Last backup"), say("Size"))
    return Sheet("", head, tuple(rows))


def _row(line: DigestLine, now: datetime) -> Row:
    state = line.health.state
    size = _size(line)
    reason = line.health.reason
    name = (
        say("%(repository)s (%(reason)s)", repository=line.repository, reason=reason)
        if reason
        else line.repository
    )
    cells = (_HEADS[state], name, _made(line), _last(line, now, short=True), size)
    parts = [reason, _last(line, now), size, _made_in_words(line), _problems(line)]
    text = say(
        "%(state)s  %(repository)s: %(details)s",
        state=_HEADS[state],
        repository=line.repository,
        details=join(*filter(None, parts), by=", "),
    )
    return Row(cells, text, _TONES.get(state, ""))


def _made(line: DigestLine) -> str:
    if not line.expected:
        return str(line.made) if line.made else ""
    return say("%(made)s of %(expected)s", made=line.made, expected=line.expected)


def _made_in_words(line: DigestLine) -> str:
    if not line.expected:
        return ""
    return say("%(made)s of %(expected)s backups", made=line.made, expected=line.expected)


def _last(line: DigestLine, now: datetime, *, short: bool = False) -> Sentence:
    at = line.last_backup_at
    if at is None:
        return say("never") if short else say("never backed up")
    if short:
        return ago(now - at)
    if now - at >= timedelta(minutes=1):
        return say("last backup %(ago)s", ago=ago(now - at))
    return say("last backup just now")


def _size(line: DigestLine) -> str:
    if line.size_bytes is None:
        return ""
    size = say("%(size)s", size=Size(line.size_bytes))
    if not line.change_bytes:
        return size
    sign = "+" if line.change_bytes > 0 else "-"
    change = say("%(sign)s%(size)s", sign=sign, size=Size(abs(line.change_bytes)))
    return join(size, change, by=", ")


def _problems(line: DigestLine) -> str:
    if not line.problems:
        return ""
    if line.problems == 1:
        return say("1 problem")
    return say("%(count)s problems", count=line.problems)


def _disks(disks: Sequence[DiskInfo]) -> Sheet:
    rows = []
    for disk in disks:
        name = ", ".join(disk.locations)
        used = say(
            "%(used)s of %(total)s, %(percent)s %%",
            used=Size(disk.used_bytes),
            total=Size(disk.total_bytes),
            percent=disk.percent,
        )
        full = say("%(on)s", on=disk.full_on) if disk.full_on is not None else ""
        full_in_words = say("full on %(on)s", on=disk.full_on) if disk.full_on is not None else ""
        text = say(
            "%(disk)s: %(details)s",
            disk=name,
            details=join(*filter(None, (used, full_in_words)), by=", "),
        )
        tone = "bad" if disk.percent >= _FULL else ("wait" if disk.full_on is not None else "")
        rows.append(Row((name, used, full), text, tone))
    return Sheet(say("Disks"), (say("Location"), say("Used"), say("Full on")), tuple(rows))


def _keys(found: DigestFacts) -> Sheet:
    rows = []
    for key in found.keys[:_MOST_KEYS]:
        until = say("%(at)s", at=key.expires_at)
        text = say(
            "%(key)s of %(owner)s expires on %(at)s",
            key=key.name,
            owner=key.owner,
            at=key.expires_at,
        )
        rows.append(Row((key.name, key.owner, until), text, "wait"))
    head = (say("Key"), say("Owner"), say("Expires"))
    return Sheet(say("Keys that expire soon"), head, tuple(rows))


def document(found: DigestFacts) -> dict[str, Any]:
    """The same for programs."""
    return {
        "repositories": [
            {
                "id": line.repository_id,
                "name": line.repository,
                "state": str(line.health.state),
                "backups_made": line.made,
                "backups_expected": line.expected,
                "last_backup_at": rfc3339(line.last_backup_at) if line.last_backup_at else None,
                "size_bytes": line.size_bytes,
                "change_bytes": line.change_bytes,
                "problems": line.problems,
            }
            for line in found.lines[:_MOST]
        ],
        "disks": [
            {
                "locations": list(disk.locations),
                "used_bytes": disk.used_bytes,
                "total_bytes": disk.total_bytes,
                "full_on": disk.full_on.isoformat() if disk.full_on is not None else None,
            }
            for disk in found.disks
        ],
        "keys": [
            {"name": key.name, "owner": key.owner, "expires_at": rfc3339(key.expires_at)}
            for key in found.keys[:_MOST_KEYS]
        ],
    }
