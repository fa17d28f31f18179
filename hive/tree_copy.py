"""A copy of a directory that is in use, brought up to date again and again, each file verified.

A file gets its name in the copy, and the time of the original, only when it has been read back from
the disk and compared by checksum. So what is there under its name is right, also after a crash, and
what has the size and time of the original is not copied again. Blocking: call in a thread.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hive import files
from hive.errors import StorageError
from hive.meter import Meter, Unit

_CHUNK = 1024 * 1024  # bytes
_UNFINISHED = ".moving-"  # begins the name of a file that is not complete
_SETTLED_SECONDS = 2.0  # a file that was written later can change without another time or size


class StoppedError(Exception):
    """Somebody asked the copy to stop; it goes on from there another time."""


class DifferentError(StorageError):
    """The copy is not what the original is."""


@dataclass(frozen=True)
class _Entry:
    is_directory: bool
    size: int
    changed: int  # nanoseconds
    mode: int
    owner: tuple[int, int]

    def is_same_as(self, other: _Entry) -> bool:
        if self.is_directory or other.is_directory:
            return self.is_directory == other.is_directory
        return (self.size, self.changed) == (other.size, other.changed)


@dataclass(frozen=True)
class Pass:
    """What one pass had to do."""

    files: int
    size: int


class TreeCopy:
    """Makes `target` what `source` is, names in `besides` (of the top directory) left out."""

    def __init__(
        self, source: Path, target: Path, meter: Meter, *, besides: Collection[str] = ()
    ) -> None:
        self._source, self._target = source, target
        self._meter = meter
        self._besides = frozenset(besides)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have a pass raise StoppedError soon."""
        self._stop.set()

    def bring_up_to_date(self, *, is_at_rest: bool = False) -> Pass:
        """Copy what is new or changed, and remove what is gone.

        `is_at_rest`: nobody writes to the original now. Else what is written during the pass is
        copied by the next one.
        """
        wanted = self._entries(self._source, skip=self._besides)
        self._meter.begin(Unit.BYTES, sum(one.size for one in wanted.values()))
        self._target.mkdir(mode=0o700, exist_ok=True)
        there = self._entries(self._target)
        self._remove(wanted, there)
        files = size = 0
        for name, entry in wanted.items():
            if self._stop.is_set():
                raise StoppedError
            former = there.get(name)
            if entry.is_directory:
                self._make_directory(self._target / name, entry)
            elif former is None or not former.is_same_as(entry):
                files, size = files + 1, size + entry.size
                self._copy(name, is_at_rest=is_at_rest)
            else:
                self._meter.advance(entry.size)
        return Pass(files, size)

    def require_same(self) -> Pass:
        """Raise DifferentError unless the copy has the same files, of the same sizes and times.

        Each was compared by checksum when it got its name.
        """
        wanted = self._entries(self._source, skip=self._besides)
        there = self._entries(self._target)
        different = [
            name
            for name in wanted.keys() | there.keys()
            if name not in wanted or name not in there or not there[name].is_same_as(wanted[name])
        ]
        if different:
            raise DifferentError(
                "The copy differs from the original: %(name)s.", name=min(different)
            )
        files = [one for one in wanted.values() if not one.is_directory]
        return Pass(len(files), sum(one.size for one in files))

    def keep_safe(self) -> None:
        """Have the system write all names of the copy to the disk."""
        for name, entry in self._entries(self._target).items():
            if entry.is_directory:
                files.sync_directory(self._target / name)
        files.sync_directory(self._target)

    def _entries(self, top: Path, *, skip: Collection[str] = ()) -> dict[str, _Entry]:
        """By their names below `top`, a directory before what is in it."""
        found: dict[str, _Entry] = {}
        waiting = [""]
        while waiting:
            directory = waiting.pop()
            for entry in _scan(top / directory):
                name = os.path.join(directory, entry.name)  # noqa: PTH118 - hot loop
                if name in skip:
                    continue
                with suppress(FileNotFoundError):  # it goes while it is looked at
                    seen = _seen(entry.stat(follow_symlinks=False), top / name)
                    found[name] = seen
                    if seen.is_directory:
                        waiting.append(name)
        return found

    def _remove(self, wanted: dict[str, _Entry], there: dict[str, _Entry]) -> None:
        for name, entry in there.items():
            former = wanted.get(name)
            if former is not None and former.is_directory == entry.is_directory:
                continue
            path = self._target / name
            if entry.is_directory:
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _make_directory(self, path: Path, entry: _Entry) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, *entry.owner, follow_symlinks=False)

    def _copy(self, name: str, *, is_at_rest: bool) -> None:
        source, target = self._source / name, self._target / name
        unfinished = target.with_name(f"{_UNFINISHED}{target.name}")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(source, flags)
        except FileNotFoundError:
            return
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return  # replaced meanwhile: the next pass sees it
            unfinished.unlink(missing_ok=True)
            written = self._write(descriptor, unfinished, before)
            is_settled = is_at_rest or _is_settled(before, os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if _checksum(unfinished) != written:
            raise StorageError("%(path)s reads back other than it was written.", path=target)
        changed = before.st_mtime_ns if is_settled else 0
        os.utime(unfinished, ns=(changed, changed))
        unfinished.replace(target)

    def _write(self, descriptor: int, path: Path, original: os.stat_result) -> bytes:
        """Write a new file from the descriptor; the checksum of what was read."""
        digest = hashlib.blake2b()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        out = os.open(path, flags, stat.S_IMODE(original.st_mode) & 0o700)
        try:
            if os.geteuid() == 0:
                os.fchown(out, original.st_uid, original.st_gid)
            while chunk := os.read(descriptor, _CHUNK):
                if self._stop.is_set():
                    raise StoppedError
                digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(out, view) :]
                self._meter.advance(len(chunk))
            os.fsync(out)
            os.posix_fadvise(out, 0, 0, os.POSIX_FADV_DONTNEED)  # it is read from the disk next
        finally:
            os.close(out)
        return digest.digest()


def _scan(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _seen(status: os.stat_result, path: Path) -> _Entry:
    is_directory = stat.S_ISDIR(status.st_mode)
    if not is_directory and not stat.S_ISREG(status.st_mode):
        raise StorageError("%(path)s is neither a file nor a directory.", path=path)
    return _Entry(
        is_directory,
        0 if is_directory else status.st_size,
        status.st_mtime_ns,
        status.st_mode,
        (status.st_uid, status.st_gid),
    )


def _is_settled(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether the file was not written while it was read, nor shortly before."""
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return same and time.time() - before.st_mtime > _SETTLED_SECONDS


def _checksum(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
