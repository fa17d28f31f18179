"""What a session of borg 1 left behind without a commit: found on disk, and removed.

A segment is `BORG_SEG` and a row of entries, each with a header of checksum, size and tag. A
transaction ends with an entry of the tag COMMIT, the last of its segment. Segments above the last
one that ends like this belong to no archive: borg removes them when it next writes. So does this,
by the same rule, but only where nothing speaks against it; else it leaves them to borg.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from zlib import crc32

from hive.borg.exclusive_lock import LockedError
from hive.sentences import say

_INDEX = re.compile(r"(?:index|hints)\.(\d{1,20})", re.ASCII)
_MAGIC = b"BORG_SEG"
_HEADER = struct.Struct("<IIB")
_COMMIT_TAG = 2
_LARGEST_TAG = 3
_COMMIT_FIELDS = struct.pack("<IB", _HEADER.size, _COMMIT_TAG)
_COMMIT = struct.pack("<I", crc32(_COMMIT_FIELDS)) + _COMMIT_FIELDS


class Ending(Enum):
    """How a segment ends."""

    COMMITTED = auto()
    UNCOMMITTED = auto()
    DOUBTFUL = auto()


@dataclass(frozen=True)
class Removed:
    """`doubt` says why nothing was removed, where there was something."""

    size_bytes: int = 0
    segments: int = 0
    doubt: str | None = None


def remove_uncommitted(
    repository: Path,
    locked: Callable[[], AbstractContextManager[None]],
    *,
    at_least: int,
    may_be_empty: bool,
) -> Removed:
    """Remove the segments above the last commit, under the lock. Blocking: call in a thread.

    `at_least` is a transaction that is known to have been committed: where the last commit seems
    older, the disk is not to be trusted. `may_be_empty`: whether nothing at all may have been
    committed, because the repository was made by the session that left this.
    """
    newest = _of_newest_directory(repository)
    if not newest or ending(newest[0][1]) == Ending.COMMITTED:
        return Removed()
    try:
        with locked():
            return _remove(repository, at_least=at_least, may_be_empty=may_be_empty)
    except LockedError:
        return Removed(doubt="the repository is locked")


def _remove(repository: Path, *, at_least: int, may_be_empty: bool) -> Removed:
    left: list[Path] = []
    committed = -1
    for number, segment in newest_first(repository):
        how = ending(segment)
        if how == Ending.DOUBTFUL:
            return Removed(
                doubt=say("it is not known whether segment %(number)s was committed", number=number)
            )
        if how == Ending.COMMITTED:
            committed = number
            break
        left.append(segment)
    if committed < 0 and not may_be_empty:
        return Removed(doubt="no commit was found")
    if committed < max(at_least, *index_transactions(repository), -1):
        return Removed(doubt="the last commit on disk is older than the one that is known")
    size = 0
    for segment in left:  # the newest first, as borg does: what a crash leaves is still a row
        size += segment.lstat().st_size
        segment.unlink()
    return Removed(size, len(left))


def last_commit(repository: Path) -> tuple[int, Path | None]:
    """The last segment that ends with a commit and its number; -1 where there is none. Blocking."""
    for number, segment in newest_first(repository):
        if ending(segment) == Ending.COMMITTED:
            return number, segment
    return -1, None


def index_transactions(repository: Path) -> set[int]:
    """The transactions of which there is an index, or hints."""
    matches = (_INDEX.fullmatch(name) for name in os.listdir(repository))  # noqa: PTH208 - names only
    return {int(match[1]) for match in matches if match}


def ending(segment: Path) -> Ending:
    """Tell how a segment ends, by all of its entries. Blocking."""
    try:
        descriptor = os.open(segment, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Ending.DOUBTFUL
    try:
        return _ending(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _ending(descriptor: int, size: int) -> Ending:
    seems_committed = os.pread(descriptor, len(_COMMIT), max(0, size - len(_COMMIT))) == _COMMIT
    magic = os.pread(descriptor, len(_MAGIC), 0)
    if magic != _MAGIC:
        was_cut_off = size < len(_MAGIC) and _MAGIC.startswith(magic)
        return Ending.UNCOMMITTED if was_cut_off else Ending.DOUBTFUL
    offset, commit_ends = len(_MAGIC), 0
    while offset < size:
        header = os.pread(descriptor, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            break
        _, length, tag = _HEADER.unpack(header)
        if length < _HEADER.size or tag > _LARGEST_TAG or offset + length > size:
            break
        offset += length
        if tag == _COMMIT_TAG:
            if header != _COMMIT:
                return Ending.DOUBTFUL
            commit_ends = offset
    if commit_ends:
        return Ending.COMMITTED if commit_ends == size else Ending.DOUBTFUL
    # an entry may hold the very bytes of a commit, where it is read to its end
    return Ending.DOUBTFUL if seems_committed and offset != size else Ending.UNCOMMITTED


def _of_newest_directory(repository: Path) -> list[tuple[int, Path]]:
    """The segments of the newest directory that has some."""
    for _, directory in reversed(_numbered(repository / "data")):
        segments = _numbered(directory)
        if segments:
            return segments[::-1]
    return []


def newest_first(repository: Path) -> Iterator[tuple[int, Path]]:
    """All segments with their numbers, the newest first. Blocking."""
    for _, directory in reversed(_numbered(repository / "data")):
        yield from reversed(_numbered(directory))


def _numbered(directory: Path) -> list[tuple[int, Path]]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names only
    except OSError:
        return []
    wanted = [name for name in names if name.isascii() and name.isdigit() and len(name) < 20]
    return sorted((int(name), directory / name) for name in wanted)
