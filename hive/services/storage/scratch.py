"""Where children keep what lasts no longer than their session: home, caches, temporary files.

<scratch>/<login>/, in the data directory or wherever `child.scratch_dir` says: not on the storage
root, so that a full one keeps no program from starting. What is left in it is removed with the last
session of a repository; the directory stays, for a full disk has no room for a new one until the
server starts again. Blocking: call in a thread.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from hive import memory
from hive.errors import StorageError
from hive.process.spec import RunAs
from hive.services import names, runtime
from hive.services.storage.paths import Place


@dataclass
class _Memory:
    lock: Lock = field(default_factory=Lock)
    users: Counter[str] = field(default_factory=Counter)  # login -> its sessions and upkeeps


def of(where: Place) -> Path:
    return runtime.paths().scratch / where.login


def enter(where: Place, run_as: RunAs | None) -> None:
    """Make the directory for one more session; each is followed by a `leave`."""
    path, here = of(where), memory.of(_Memory)
    with here.lock:
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            status = path.lstat()
            if run_as is not None and status.st_uid != run_as.uid:
                os.chown(path, run_as.uid, run_as.gid, follow_symlinks=False)
        except OSError as error:
            raise StorageError(
                "%(path)s cannot be made: %(strerror)s.", path=path, strerror=error.strerror
            ) from error
        if not stat.S_ISDIR(status.st_mode):
            raise StorageError("%(path)s is not a directory: remove it.", path=path)
        here.users[where.login] += 1


def leave(where: Place) -> None:
    """Remove what is left in it once nothing runs any more for this repository."""
    here = memory.of(_Memory)
    with here.lock:
        here.users[where.login] -= 1
        if here.users[where.login] <= 0:
            del here.users[where.login]
            with suppress(OSError):
                _empty(of(where))


def clear() -> None:
    """Remove what a killed server's children left; call before any session begins."""
    here = memory.of(_Memory)
    with here.lock:
        for path in runtime.paths().scratch.iterdir():
            is_theirs = names.LOGIN.fullmatch(path.name) and path.name not in here.users
            if is_theirs and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _empty(directory: Path) -> None:
    """Remove all that is in it; links are removed, never followed."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)
