"""What a borg repository shows from the outside, without a passphrase.

borg 1: `config` (an ini file), `data/`, and `index.N`, `hints.N`, `integrity.N` of transaction N.
borg 2: a directory of objects, `config/` among them, no transactions.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hive.borg.hints import HintsError, read_hints

_NUMBERED = re.compile(r"(?:index|hints)\.(\d{1,20})")


@dataclass(frozen=True)
class Snapshot:
    """A repository at one moment. `state` differs whenever a commit lies between two snapshots."""

    is_created: bool
    state: str
    config: bytes | None  # borg 1 only
    size_bytes: int | None
    compactable_bytes: int | None = None  # what a compaction would free


def snapshot(path: Path) -> Snapshot:
    """Look at the repository at `path`; blocking, call in a thread."""
    if (path / "config").is_dir():
        return Snapshot(True, _borg2_state(path), None, None)
    try:
        config = (path / "config").read_bytes()
    except OSError:
        return Snapshot(False, "", None, None)
    transaction = last_transaction(path)
    try:
        # Bytes that borg itself counts as used: the size of `data/` to within some hundred bytes.
        hints = read_hints(path / f"hints.{transaction}")
    except (OSError, HintsError):
        return Snapshot(True, str(transaction), config, None)
    return Snapshot(True, str(transaction), config, hints.quota_use, hints.compactable)


def last_transaction(path: Path) -> int:
    """The number of the last transaction of a borg 1 repository; -1 where there is none yet."""
    numbers = [-1]
    for entry in path.iterdir():
        match = _NUMBERED.fullmatch(entry.name)
        if match:
            numbers.append(int(match[1]))
    return max(numbers)


def _borg2_state(path: Path) -> str:
    """Archives and keys by their names, packs by when their directories changed.

    Reading touches none of these: locks and what is merged or remembered on the way lie elsewhere
    (`locks/`, `index/`, `cache/`). There can be a million packs, but in 256 directories at most.
    """
    digest = hashlib.sha256()
    for directory in ("archives", "keys"):
        for entry in _entries(path / directory):
            digest.update(b"%s/%s\0" % (directory.encode(), os.fsencode(entry.name)))
    packs = [entry for entry in _entries(path / "packs") if entry.is_dir(follow_symlinks=False)]
    for entry in (*packs, *_entries(path / "config")):
        with suppress(FileNotFoundError):  # sessions may run beside each other
            status = entry.stat(follow_symlinks=False)
            seen = (os.fsencode(entry.path), status.st_mtime_ns, status.st_size)
            digest.update(b"%s %d %d\0" % seen)
    return digest.hexdigest()


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
