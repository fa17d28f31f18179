"""Small files that must not be lost or found half written: new ones, and in place of old ones.

What was written is on the disk before anybody relies on it. Blocking.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def creating(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write to that is not there yet; where that fails, none is left."""
    descriptor = os.open(path, _NEW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask
            yield file
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Make a file with this content; FileExistsError where there is one."""
    with creating(path, mode=mode) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, mode: int = 0o600, through: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` in one step; if not, that one stays.

    It is written beside it; or as `through` on the same file system, where what a crash has left
    of an earlier one is removed.
    """
    if through is not None:
        through.unlink(missing_ok=True)
    fresh = through or path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    with creating(fresh, mode=mode) as file:
        yield file
    try:
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file, or another in its place, in one step."""
    with replacing(path, mode=mode) as file:
        file.write(content)


def sync_directory(path: Path) -> None:
    """Have what was renamed, made and removed in a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
