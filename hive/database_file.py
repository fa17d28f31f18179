"""The database file on disk: whether it is still the one that the server has open, and usable.

If the file is deleted or replaced, the server still writes to the open one, which nobody else can
see and which is lost when the server ends. Only SQLite may open the file in this process: when
anything else closes it, the locks that SQLite holds are released.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_DELETED = " (deleted)"
_BUSY_SECONDS = 5.0
_DAMAGED = ("malformed", "file is not a database")


@dataclass(frozen=True)
class DatabaseFile:
    """The file that was opened: its path, and what identifies it there."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> DatabaseFile:
        """The file at this path, which was opened just now."""
        status = path.stat()
        return cls(path, status.st_dev, status.st_ino)

    def lost(self) -> str | None:
        """How the file at the path is no longer the open one, in words; None where it is."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return "was deleted"
        except OSError as error:
            return f"cannot be reached ({error.strerror})"
        if (status.st_dev, status.st_ino) != (self.device, self.inode):
            return "was replaced"
        if _open_and_deleted(f"{self.path}-wal", f"{self.path}-shm"):
            return "lost the files beside it (-wal and -shm)"
        return None

    def unwritable(self) -> str | None:
        """Why this user may not write it, in words; None where they may."""
        for path in (self.path, self.path.parent):
            if not os.access(path, os.W_OK):
                return f"{path} cannot be written by this user"
        return None

    def is_held(self) -> bool:
        """Whether somebody keeps it locked for as long as a transaction would wait."""
        address = f"file:{quote(str(self.path))}?mode=rw"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return _is_passing(error)
        except sqlite3.Error:
            return False
        return False

    def damage(self) -> tuple[str | None, float]:
        """What SQLite finds wrong in the file, and the seconds that the search took."""
        begun = time.monotonic()
        address = f"file:{quote(str(self.path))}?mode=ro"
        found = None
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
                rows = connection.execute("PRAGMA quick_check(1)").fetchall()
                found = None if rows == [("ok",)] else str(rows[0][0])
        except sqlite3.OperationalError as error:
            found = None if _is_passing(error) else str(error)
        except sqlite3.Error as error:
            found = str(error)
        return found, time.monotonic() - begun


def says_damaged(error: Exception) -> bool:
    """Whether SQLite means a damaged file with what it raised, not one that is busy or full."""
    return any(words in str(error) for words in _DAMAGED)


def _is_passing(error: sqlite3.OperationalError) -> bool:
    """Whether somebody else only holds a lock."""
    return "locked" in str(error) or "busy" in str(error)


def _open_and_deleted(*paths: str) -> bool:
    """Whether this process has one of these files open though it was deleted."""
    gone = {f"{path}{_DELETED}" for path in paths}
    with suppress(OSError), os.scandir("/proc/self/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                if str(Path(entry.path).readlink()) in gone:
                    return True
    return False


def note_made(path: Path) -> None:
    """Note that a database is there, so that its loss is noticed."""
    _mark(path).touch(mode=0o600, exist_ok=True)


def missing(path: Path) -> str | None:
    """How to recover, in words, where a database was there before and is gone; else None."""
    was_made = _mark(path).exists() or any(_traces(path))
    if not was_made or (path.exists() and path.stat().st_size > 0):
        return None
    kept = sorted(path.parent.glob(f"{path.name}.rescued-*"))
    source = kept[-1] if kept else "a backup"
    return (
        f"The database {path} was there before and is gone. Stop the server where it runs,"
        f" and put the database back: cp {source} {path}."
        f" To begin with an empty one instead, remove {', '.join(map(str, _all_traces(path)))}."
    )


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")


def _traces(path: Path) -> list[Path]:
    """What a database leaves beside itself."""
    patterns = (f"{path.name}-wal", f"{path.name}.rescued-*", f"{path.name}.before-*")
    return [found for pattern in patterns for found in path.parent.glob(pattern)]


def _all_traces(path: Path) -> list[Path]:
    return [*filter(Path.exists, [_mark(path)]), *_traces(path)]
