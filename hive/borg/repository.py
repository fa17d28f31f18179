"""What a borg repository shows from the outside, without a passphrase: the reading itself.

borg 1: `config` (an ini file), `data/`, and `index.N`, `hints.N`, `integrity.N` of transaction N.
borg 2: a directory of objects, `config/` among them, no transactions.
hive/borg/facts.py puts it together.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hive.borg.hints import Hints, HintsError, read_hints
from hive.borg.uncommitted import index_transactions, last_commit
from hive.sentences import say

_SIZE = re.compile(r"(\d{1,20})([KMGTP]?)", re.ASCII)
_BLANKS = re.compile(r"[^\S\n]+")
_MAX_CONFIG = 64 * 1024
_INDEX = struct.Struct("<8sii")  # magic, entries, buckets


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A repository at one moment. `state` differs whenever a commit lies between two snapshots."""

    is_created: bool
    state: str
    config: bytes | None  # borg 1 only
    size_bytes: int | None
    compactable_bytes: int | None = None  # what a compaction would free
    objects: int | None = None  # of the last transaction, by borg's index of it

    @property
    def transaction(self) -> int | None:
        """The last transaction of borg 1; None where there is none."""
        return int(self.state) if self.config is not None and self.state.isdigit() else None


def snapshot(path: Path) -> Snapshot:
    """Look at the repository at `path`; blocking, call in a thread."""
    if (path / "config").is_dir():
        return Snapshot(is_created=True, state=borg2_state(path), config=None, size_bytes=None)
    try:
        config = (path / "config").read_bytes()
    except OSError:
        return Snapshot(is_created=False, state="", config=None, size_bytes=None)
    _, hints = newest_hints(path)
    quota_use = hints.quota_use if hints is not None else None
    freeable = hints.freeable if hints is not None else None
    last = last_transaction(path)
    return Snapshot(
        is_created=True,
        state=str(last),
        config=config,
        size_bytes=quota_use,
        compactable_bytes=freeable,
        objects=objects_in_index(path, last),
    )


def state_of(path: Path) -> str:
    """The `state` of a snapshot alone, without reading a file of borg 1; blocking."""
    config = path / "config"
    if config.is_dir():
        return borg2_state(path)
    return str(last_transaction(path)) if config.exists() else ""


def last_transaction(path: Path) -> int:
    """The number of the last transaction of a borg 1 repository; -1 where there is none yet.

    Without an index, as after an import, it is that of the last commit: borg numbers the index that
    it then builds like this, so that building it changes nothing.
    """
    known = index_transaction(path)
    return known if known >= 0 else last_commit(path)[0]


def index_transaction(path: Path) -> int:
    """The transaction of the newest index; -1 where there is none."""
    return max(index_transactions(path), default=-1)


def objects_in_index(path: Path, transaction: int) -> int | None:
    """How many objects a transaction has, by borg's index of it; None where there is none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path / f"index.{transaction}", flags)
    except OSError:
        return None
    try:
        head = os.pread(descriptor, _INDEX.size, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if len(head) != _INDEX.size:
        return None
    magic, count, _ = _INDEX.unpack(head)
    return int(count) if magic == b"BORG_IDX" and count >= 0 else None


def newest_hints(path: Path) -> tuple[int, Hints | None]:
    """The newest hints of a borg 1 repository that can be read, and their transaction.

    While borg commits, old and new ones lie side by side or vanish as they are looked at.
    """
    for number in sorted(index_transactions(path), reverse=True):
        with suppress(OSError, HintsError):
            return number, read_hints(path / f"hints.{number}")
    return -1, None


def damage(path: Path) -> str | None:
    """What a look at a borg 1 repository at rest shows to be missing; None where nothing is.

    Blocking. The index of transaction N belongs to segment N; while borg compacts, or after that
    was cut off, a later one has taken its place.
    """
    if not (path / "config").is_file():
        return None
    if not (path / "data").is_dir():
        return say("its directory `data` is missing")
    with suppress(OSError):
        known = index_transaction(path)
        config = read_config(path) if known >= 0 else None
        if config is None or config.version != 1:
            return None
        segment = path / "data" / str(known // config.segments_per_dir) / str(known)
        if not segment.exists() and last_commit(path)[0] < known:
            return say("its newest segment (%(number)s) is missing", number=known)
    return None


def changed_at(path: Path) -> float:
    """When something was last written in a repository, whatever times its files were given.

    Seconds since 1970, 0 where nothing is there. Blocking; of `data` only the newest directory is
    looked into.
    """
    directories = [path, path / "data"]
    numbered = [entry for entry in entries(path / "data") if entry.name.isdigit()]
    if numbered:
        directories.append(Path(max(numbered, key=lambda entry: int(entry.name)).path))
    found = [0.0]
    for directory in directories:
        with suppress(OSError):
            found.append(directory.stat().st_ctime)
        for entry in entries(directory):
            with suppress(OSError):
                found.append(entry.stat(follow_symlinks=False).st_ctime)
    return max(found)


def last_written_at(path: Path) -> datetime | None:
    """When the last backup may have been: the last commit of borg 1, the newest archive of borg 2.

    An estimate: a deletion is a commit as well. None where there is nothing.
    """
    written: list[os.stat_result] = []
    with suppress(OSError):  # it may go while it is looked at
        if (path / "config").is_dir():
            archives = entries(path / "archives")
            written = [entry.stat(follow_symlinks=False) for entry in archives]
        else:
            written = [_last_commit_file(path).lstat()]
    newest = max((status.st_mtime for status in written), default=None)
    return None if newest is None else datetime.fromtimestamp(newest, UTC)


def _last_commit_file(path: Path) -> Path:
    """The file that was written last by the last commit of borg 1."""
    known = index_transaction(path)
    segment = None if known >= 0 else last_commit(path)[1]
    return segment or path / f"index.{known}"


@dataclass(frozen=True)
class Config:
    """The config of a borg 1 repository, as far as it can be read."""

    version: int
    id: str
    has_key: bool
    append_only: bool
    quota_bytes: int | None
    reserve_bytes: int | None  # borg's additional_free_space
    segments_per_dir: int
    segment_bytes: int  # the largest that borg makes


def parse_config(text: str) -> configparser.SectionProxy:
    """Read the section `repository` of a config of borg 1, which may come from a stranger.

    KeyError or configparser.Error where it cannot be read. The parser's own patterns take time
    that grows with the square of a row of blanks, so rows of blanks are made one.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(_BLANKS.sub(" ", text))
    return parser["repository"]


def read_config(path: Path) -> Config | None:
    """The config of the borg 1 repository at `path`; None where it is not borg's."""
    try:
        with (path / "config").open("rb") as file:
            text = file.read(_MAX_CONFIG + 1).decode()
        section = parse_config(text)
        return Config(
            version=int(section["version"]),
            id=section["id"].strip(),
            has_key=bool(section.get("key", "").strip()),
            append_only=section.get("append_only", "0").strip() not in ("0", ""),
            quota_bytes=_size(section.get("storage_quota", "0")) or None,
            reserve_bytes=_size(section.get("additional_free_space", "0")) or None,
            segments_per_dir=max(1, int(section.get("segments_per_dir", "1000"))),
            segment_bytes=_size(section.get("max_segment_size", "524288000")),
        )
    except (OSError, KeyError, ValueError, configparser.Error):
        return None


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    factor: int = 1000 ** " KMGTP".index(match[2] or " ")
    return int(match[1]) * factor


def borg2_state(path: Path) -> str:
    """Archives and keys by their names, packs by when their directories changed.

    Reading touches none of these: locks and what is merged or remembered on the way lie elsewhere
    (`locks/`, `index/`, `cache/`). There can be a million packs, but in 256 directories at most.
    """
    digest = hashlib.sha256()
    for directory in ("archives", "keys"):
        for entry in entries(path / directory):
            digest.update(b"%s/%s\0" % (directory.encode(), os.fsencode(entry.name)))
    packs = [entry for entry in entries(path / "packs") if entry.is_dir(follow_symlinks=False)]
    for entry in (*packs, *entries(path / "config")):
        with suppress(FileNotFoundError):  # sessions may run beside each other
            status = entry.stat(follow_symlinks=False)
            seen = (os.fsencode(entry.path), status.st_mtime_ns, status.st_size)
            digest.update(b"%s %d %d\0" % seen)
    return digest.hexdigest()


def entries(directory: Path) -> list[os.DirEntry[str]]:
    """What lies in the directory, by name; nothing where it is not there."""
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
