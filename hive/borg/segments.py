"""Borg 1's log on disk: the segment files of a repository, read entry by entry.

`data/<number // segments_per_dir>/<number>` begins with MAGIC; entries follow, each a header of
checksum (CRC-32 of all that follows it), size (of the whole entry) and tag. PUT has a key of 32
bytes and the object, DELETE a key, COMMIT nothing. A segment that ends with a COMMIT commits
everything up to there, and its number is the number of that transaction.

An import can bring files of any content: links are never followed, and no entry is read that is
larger than borg's own.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from hive.borg.repository import read_config
from hive.sentences import say

MAGIC = b"BORG_SEG"
MAX_ENTRY = 20 * 1024 * 1024  # bytes, header included; borg refuses to write or read more
_HEADER = struct.Struct("<IIB")
_KEY = 32
_WITH_KEY = _HEADER.size + _KEY
_MAX_SEGMENTS = 4_000_000  # 2 PB of segments of the usual size
_MAX_NUMBER = 2**32 - 1
_HEADERS_ONLY, _WHOLE = 8 * 1024, 1024 * 1024  # bytes read ahead


class Tag(IntEnum):
    PUT = 0
    DELETE = 1
    COMMIT = 2


class SegmentError(Exception):
    """A segment is not what borg writes; the message says which and why."""


@dataclass(frozen=True)
class Segment:
    number: int
    size: int
    written_at: float  # seconds since 1970, by the file system


@dataclass(frozen=True, slots=True)
class Entry:
    """`size` is of the whole entry; `key` is empty for a COMMIT."""

    tag: Tag
    key: bytes
    size: int


class Log:
    """The segments of one repository, as they were when it was opened. Blocking."""

    def __init__(self, repository: Path) -> None:
        config = read_config(repository)
        if config is None or config.version != 1:
            raise SegmentError(
                say("%(repository)s is not a repository of borg 1", repository=repository)
            )
        self.per_directory = config.segments_per_dir
        self._data = _opened_directory(repository / "data")
        try:
            self.segments = tuple(self._found())
        except BaseException:
            os.close(self._data)
            raise

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._data)

    def _found(self) -> list[Segment]:
        found: dict[int, Segment] = {}
        for directory in _numbers(self._data):
            descriptor = _opened_directory(Path(str(directory)), self._data)
            try:
                for number in _numbers(descriptor):
                    if number // self.per_directory != directory or number > _MAX_NUMBER:
                        raise SegmentError(
                            say(
                                "data/%(directory)s/%(number)s is not where borg keeps it",
                                directory=directory,
                                number=number,
                            )
                        )
                    status = os.stat(str(number), dir_fd=descriptor, follow_symlinks=False)
                    if not stat.S_ISREG(status.st_mode):
                        raise SegmentError(
                            say("segment %(number)s is not a regular file", number=number)
                        )
                    found[number] = Segment(number, status.st_size, status.st_mtime)
                    if len(found) > _MAX_SEGMENTS:
                        raise SegmentError(
                            say(
                                "there are more than %(most)s segments",
                                most=_MAX_SEGMENTS,
                            )
                        )
            finally:
                os.close(descriptor)
        return [found[number] for number in sorted(found)]

    def entries(self, number: int, *, verify: bool) -> Iterator[Entry]:
        """The entries of a segment in their order, with their checksums tested if `verify`.

        SegmentError at the first that is not as borg writes it: what follows cannot be found.
        """
        with self._opened(number, _WHOLE if verify else _HEADERS_ONLY) as file:
            end = os.fstat(file.fileno()).st_size
            if file.read(len(MAGIC)) != MAGIC:
                raise SegmentError(
                    say("segment %(number)s does not begin as borg's do", number=number)
                )
            offset = len(MAGIC)
            while offset < end:
                entry = _entry(file, number, offset, end, verify=verify)
                yield entry
                offset += entry.size

    def _opened(self, number: int, buffering: int) -> BinaryIO:
        path = f"{number // self.per_directory}/{number}"
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, dir_fd=self._data)
        except OSError as error:
            raise SegmentError(
                say(
                    "segment %(number)s cannot be read: %(problem)s",
                    number=number,
                    problem=error.strerror,
                )
            ) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SegmentError(say("segment %(number)s is not a regular file", number=number))
        return os.fdopen(descriptor, "rb", buffering=buffering)

    def is_committed(self, number: int) -> bool:
        """Whether the segment's last entry is a COMMIT, and every entry can be found."""
        last = None
        with suppress(SegmentError):
            for entry in self.entries(number, verify=False):
                if last is Tag.COMMIT and entry.tag is not Tag.COMMIT:
                    return False
                last = entry.tag
            return last is Tag.COMMIT
        return False

    def last_commit(self) -> int | None:
        """The number of the last transaction; what comes after it was never committed."""
        numbers = (segment.number for segment in reversed(self.segments))
        return next((number for number in numbers if self.is_committed(number)), None)


def last_commit(repository: Path) -> int | None:
    """The last transaction by the segments alone; None where there is none to be found."""
    try:
        with Log(repository) as log:
            return log.last_commit()
    except (SegmentError, OSError):
        return None


def _numbers(directory: int) -> list[int]:
    """The names that are numbers; everything else is nothing to borg."""
    with os.scandir(directory) as found:
        names = [entry.name for entry in found if entry.name.isdigit()]
    for name in names:
        if not name.isascii() or len(name) > 10 or name != str(int(name)):
            raise SegmentError(
                say("data/.../%(name)s is not a name that borg gives", name=name[:20])
            )
    return [int(name) for name in names]


def _opened_directory(path: Path, within: int | None = None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, dir_fd=within)
    except OSError as error:
        raise SegmentError(
            say("%(path)s cannot be read: %(problem)s", path=path, problem=error.strerror)
        ) from error


def _entry(file: BinaryIO, number: int, offset: int, end: int, *, verify: bool) -> Entry:
    where = say("segment %(number)s, at byte %(offset)s", number=number, offset=offset)
    head = file.read(_HEADER.size)
    if len(head) != _HEADER.size:
        raise SegmentError(say("%(where)s: it is cut off", where=where))
    checksum, size, tag = _HEADER.unpack(head)
    least = _HEADER.size if tag == Tag.COMMIT else _WITH_KEY
    if tag > max(Tag) or not least <= size <= MAX_ENTRY or (tag == Tag.COMMIT and size > least):
        raise SegmentError(say("%(where)s: this is not an entry of borg 1", where=where))
    if offset + size > end:
        raise SegmentError(say("%(where)s: it is cut off", where=where))
    key = file.read(_KEY) if tag != Tag.COMMIT else b""
    rest = size - _HEADER.size - len(key)
    if verify:
        found = zlib.crc32(file.read(rest), zlib.crc32(key, zlib.crc32(head[4:])))
        if found != checksum:
            raise SegmentError(say("%(where)s: its checksum is wrong", where=where))
    elif rest:
        file.seek(rest, os.SEEK_CUR)
    return Entry(Tag(tag), key, size)
