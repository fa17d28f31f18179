"""Compressed logs on disk: `<data directory>/logs/<repository id>/<random name>.gz`.

A file is complete and on the disk before the row that names it is written, and is removed only
after that row is gone or names another: a crash leaves files that no row names, never the
opposite. hive/services/reports/logs.py decides what is kept. Everything here blocks.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hive import files
from hive.services import runtime

SHORT_TEXT = 8000  # bytes that are left of a shortened log
SHORT_FILE = 8192  # bytes on the disk that its file takes at most

_BLOCK = 4096  # many small files take more than their sizes say
_MOST_TEXT = 16 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{24}\.gz")
_MINIMUM_AGE = 3600.0  # seconds; a younger file may belong to a row that is being written


@dataclass(frozen=True)
class LogFile:
    name: str
    bytes: int  # on the disk


def write(repository_id: int, text: str) -> LogFile:
    """Store a log in a new file; OSError where that cannot be done."""
    directory = _directory(repository_id)
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    packed = gzip.compress(text.encode(errors="replace"), compresslevel=6, mtime=0)
    name = f"{secrets.token_hex(12)}.gz"
    files.create(directory / name, packed)
    return LogFile(name, -(-len(packed) // _BLOCK) * _BLOCK)


def read(repository_id: int, name: str) -> str:
    """Return the log in this file; OSError where it cannot be read."""
    try:
        with gzip.open(_path(repository_id, name)) as file:
            return file.read(_MOST_TEXT).decode(errors="replace")
    except (EOFError, zlib.error) as error:
        raise OSError(f"{name} is damaged: {error}") from error


def size_of(text: str) -> int:
    """Return the size of a text in bytes, which takes a millisecond for a megabyte."""
    return len(text.encode(errors="replace"))


def end_of(text: str, most: int) -> str:
    """Return whole lines from the end of a text, of `most` bytes altogether."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return text
    end = encoded[-most:]
    return end[end.find(b"\n") + 1 :].decode(errors="ignore")


def remove(repository_id: int, names: Iterable[str | None]) -> None:
    """Delete these files; one that is gone already is no error."""
    for name in names:
        if name is not None:
            _path(repository_id, name).unlink(missing_ok=True)


def remove_all(repository_id: int) -> None:
    """Delete every log of a repository."""
    shutil.rmtree(_directory(repository_id), ignore_errors=True)


def repositories() -> list[int]:
    """Return the ids of the repositories that have logs on the disk."""
    with suppress(FileNotFoundError), os.scandir(runtime.paths().logs) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdecimal()]
    return []


def settled(repository_id: int) -> set[str]:
    """Return the files that are too old to belong to a row that is just being written."""
    before = time.time() - _MINIMUM_AGE
    found = set()
    with suppress(FileNotFoundError), os.scandir(_directory(repository_id)) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if _NAME.fullmatch(entry.name) and status.st_mtime < before:
                    found.add(entry.name)
    return found


def _directory(repository_id: int) -> Path:
    return runtime.paths().logs / str(repository_id)


def _path(repository_id: int, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise OSError(f"{name[:40]!r} is not the name of a log")
    return _directory(repository_id) / name
