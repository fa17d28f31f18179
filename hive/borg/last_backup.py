"""When the last backup was, as the disk alone tells it. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hive.borg import manifest
from hive.borg.repository import index_transaction, last_written_at, objects_in_index

_WITHOUT_ARCHIVES = 1  # objects: the manifest alone


@dataclass(frozen=True)
class DiskBackup:
    """`is_proven`: an archive shows it, not only the time of the last commit."""

    at: datetime | None = None
    is_proven: bool = False


def read(path: Path) -> DiskBackup:
    """The newest archive where it can be read without a key, else the time of the last commit.

    The latter is an estimate: a deletion is a commit as well.
    """
    if (path / "config").is_dir():  # borg 2: a file for each archive
        return DiskBackup(last_written_at(path), is_proven=True)
    found = manifest.read(path)
    if found is not None:
        return DiskBackup(found.newest_at, is_proven=True)
    try:
        objects = objects_in_index(path, index_transaction(path))
    except OSError:
        return DiskBackup()
    if objects is not None and objects <= _WITHOUT_ARCHIVES:
        return DiskBackup(is_proven=True)
    return DiskBackup(last_written_at(path))
