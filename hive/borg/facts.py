"""Everything that a repository tells from the outside, without a passphrase, at one moment.

borg writes while it is looked at. What belongs to one transaction is read between two looks at
which one is the last; where another came in between, it is read again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, count, islice
from pathlib import Path

from hive.borg import encryption
from hive.borg.encryption import Encryption
from hive.borg.hints import Hints
from hive.borg.locks import Lock, read_locks
from hive.borg.repository import (
    Config,
    borg2_state,
    damage,
    entries,
    last_transaction,
    newest_hints,
    objects_in_index,
    read_config,
)
from hive.meter import Meter, Unit
from hive.sentences import say

_TRIES = 5
_PAUSE = 0.05  # seconds; borg needs less to put the files of a commit in place
_LOG_BYTES = 16 * 1024
_LOG_ENTRIES = 20
_LOG_LINE = re.compile(r"transaction (\d{1,19}), UTC time (\S{1,40})", re.ASCII)
_SAMPLED = 16  # segments that are opened to find one that holds an object
_MAX_UNCOMMITTED = 1_000_000


class Kind(StrEnum):
    BORG1 = "borg1"
    BORG2 = "borg2"
    NONE = "none"  # a directory that is no repository, or nothing at all


class Unreadable(Exception):
    """What looks like a repository cannot be read; the message says what and why."""


@dataclass(frozen=True)
class LoggedTransaction:
    """A line of the log that borg 1 keeps of an append-only repository."""

    number: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RepositoryFacts:
    """A repository as its disk shows it; None for what is not known."""

    kind: Kind
    state: str = ""  # differs whenever a commit lies between
    version: int | None = None
    id: str | None = None
    encryption: Encryption = Encryption.UNKNOWN
    append_only: bool | None = None  # in its own config; a key can be append-only all the same
    config_quota_bytes: int | None = None
    transaction: int | None = None
    size_bytes: int = 0
    quota_use_bytes: int | None = None  # as borg holds it against a quota
    live_bytes: int | None = None
    reclaimable_bytes: int | None = None
    segments: int | None = None
    objects: int | None = None  # of the last transaction, by borg's index of it
    is_walked: bool = False  # the size was summed up, file by file
    transactions: tuple[LoggedTransaction, ...] = ()
    locks: tuple[Lock, ...] = ()


def read(path: Path, meter: Meter | None = None) -> RepositoryFacts:
    """Read the repository at `path`; Unreadable says why that cannot be. Blocking.

    `meter` counts the files, where they have to be looked at one by one.
    """
    meter = meter or Meter()
    try:
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE)
            facts = _read(path, meter)
            if facts is not None:
                return facts
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unreadable(f"{error.filename or path}: {reason}") from error
    raise Unreadable(say("%(path)s: it changes faster than it can be read", path=path))


def _read(path: Path, meter: Meter) -> RepositoryFacts | None:
    """One try; None where a commit came in between."""
    try:
        is_borg2 = (path / "config").is_dir()
        if not is_borg2 and not (path / "config").exists():
            return RepositoryFacts(kind=Kind.NONE, size_bytes=_walk(path, meter)[0], is_walked=True)
        return _borg2(path, meter) if is_borg2 else _borg1(path, meter)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _borg1(path: Path, meter: Meter) -> RepositoryFacts | None:
    before = last_transaction(path)
    config = read_config(path)
    if config is None:
        # without a `data` beside it, it is just a file of that name
        if (path / "data").is_dir():
            raise Unreadable(say("%(path)s: this is not borg's config", path=path / "config"))
        return RepositoryFacts(kind=Kind.NONE, size_bytes=_walk(path, meter)[0], is_walked=True)
    counted_until, hints = newest_hints(path)
    size, is_walked = _size(path, config, hints, counted_until, meter)
    facts = RepositoryFacts(
        kind=Kind.BORG1 if config.version == 1 else Kind.BORG2,
        state=str(before),
        version=config.version,
        id=config.id,
        encryption=encryption.of_borg1(_sample(path, config, hints), has_key=config.has_key),
        append_only=config.append_only,
        config_quota_bytes=config.quota_bytes,
        transaction=before if before >= 0 else None,
        size_bytes=size,
        segments=hints.counted if hints is not None else None,
        objects=objects_in_index(path, before),
        is_walked=is_walked,
        transactions=tuple(_log(path / "transactions")),
        locks=tuple(read_locks(path)),
        **_usage(hints),
    )
    return facts if last_transaction(path) == before else None


def _is_plausible(hints: Hints | None) -> bool:
    """Borg before 1.1 did not count; where its successors went on from there, they miscount."""
    if hints is None or hints.quota_use is None:
        return False
    # what marks a deletion is freeable too, but was never counted as used
    most_freeable = hints.quota_use + hints.quota_use // 10 + 1024**2
    return hints.freeable <= most_freeable and (hints.quota_use > 0 or not hints.segments)


def _usage(hints: Hints | None) -> dict[str, int | None]:
    if hints is None or hints.quota_use is None or not _is_plausible(hints):
        return {"reclaimable_bytes": hints.freeable if hints is not None else None}
    live = max(0, hints.quota_use - hints.freeable)
    return {
        "quota_use_bytes": hints.quota_use,
        "live_bytes": live,
        "reclaimable_bytes": hints.freeable,
    }


def _size(
    path: Path, config: Config, hints: Hints | None, last: int, meter: Meter
) -> tuple[int, bool]:
    """Bytes of the whole repository, and whether it had to be walked for that."""
    counts = hints is not None and hints.quota_use is not None and _is_plausible(hints)
    if not counts or damage(path) is not None:
        return _walk(path, meter)[0], True
    beside = 0
    for entry in entries(path):
        if entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                beside += entry.stat(follow_symlinks=False).st_size
    counted = hints.quota_use or 0 if hints is not None else 0
    return counted + beside + _uncommitted(path, config, last), False


def _uncommitted(path: Path, config: Config, last: int) -> int:
    """Bytes that a session has written since the last commit, or that a broken one left."""
    total = 0
    for number in islice(count(last + 1), _MAX_UNCOMMITTED):
        try:
            total += _segment(path, config, number).stat().st_size
        except FileNotFoundError:
            break
    return total


def _segment(path: Path, config: Config, number: int) -> Path:
    return path / "data" / str(number // config.segments_per_dir) / str(number)


def _sample(path: Path, config: Config, hints: Hints | None) -> Iterator[Path]:
    """Some segments that hold objects: the newest, where the manifest is."""
    known = sorted(hints.segments, reverse=True)[:_SAMPLED] if hints is not None else []
    found = (_segment(path, config, number) for number in known)
    return chain(found, islice(_any_segments(path), _SAMPLED) if not known else ())


def _any_segments(path: Path) -> Iterator[Path]:
    for directory in entries(path / "data"):
        for entry in entries(Path(directory.path)):
            yield Path(entry.path)


def _borg2(path: Path, meter: Meter) -> RepositoryFacts:
    size, packs = _walk(path, meter)
    return RepositoryFacts(
        kind=Kind.BORG2,
        state=borg2_state(path),
        version=_number(path / "config" / "version"),
        id=_word(path / "config" / "id"),
        encryption=encryption.of_borg2(path),
        size_bytes=size,
        segments=packs,
        is_walked=True,
        locks=tuple(read_locks(path)),
    )


def _word(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(100).decode("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    word = _word(path) or ""
    return int(word) if word.isdigit() and len(word) < 10 else None


def _walk(path: Path, meter: Meter) -> tuple[int, int]:
    """Bytes of all files below `path`, and how many of them are borg 2's packs."""
    total = packs = 0
    meter.begin(Unit.FILES)
    for directory, _, files in os.walk(path):
        meter.advance(len(files))
        is_packs = os.path.basename(os.path.dirname(directory)) == "packs"  # noqa: PTH119, PTH120 - hot loop
        for name in files:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118 - hot loop
                packs += is_packs
    return total, packs


def _log(path: Path) -> Iterator[LoggedTransaction]:
    """The last entries; a line that is being written is left out."""
    try:
        with path.open("rb") as file:
            file.seek(-min(_LOG_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
            lines = file.read(_LOG_BYTES).decode("ascii", "replace").split("\n")[:-1]
    except OSError:
        return
    for line in lines[-_LOG_ENTRIES:]:
        match = _LOG_LINE.fullmatch(line)
        if match is not None:
            with suppress(ValueError):
                at = datetime.fromisoformat(match[2]).replace(tzinfo=UTC)
                yield LoggedTransaction(int(match[1]), at)
