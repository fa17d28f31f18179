"""Take borg 1's exclusive lock for the server itself, in borg's own format.

borg takes it by moving a directory that holds one file named HOSTID.PID-THREAD to
`lock.exclusive`, which fails where that exists. Readers take it for a moment to enter themselves
in `lock.roster`; a process that holds it with no reader in the roster has the repository alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hive.borg.locks import IsGone, read_locks, remove_locks


class LockedError(Exception):
    """Somebody else holds a lock on the repository."""


@contextmanager
def exclusive_lock(repository: Path, host_id: str, is_gone: IsGone) -> Iterator[None]:
    """Hold the lock, or raise LockedError at once. Blocking: call in a thread.

    Locks whose holder `is_gone` are removed first, as borg itself does.
    """
    remove_locks(repository, is_gone)
    lock = repository / "lock.exclusive"
    mark = f"{host_id}.{os.getpid()}-0"
    _take(lock, mark)
    try:
        if any(not held.is_exclusive for held in read_locks(repository)):
            raise LockedError
        yield
    finally:
        (lock / mark).unlink(missing_ok=True)
        with suppress(OSError):
            lock.rmdir()


def _take(lock: Path, mark: str) -> None:
    try:
        prepared = Path(tempfile.mkdtemp(".tmp", f"{lock.name}.", lock.parent))
    except OSError as error:
        raise LockedError from error
    try:
        (prepared / mark).touch(mode=0o600)
        prepared.rename(lock)
    except OSError as error:
        (prepared / mark).unlink(missing_ok=True)
        with suppress(OSError):
            prepared.rmdir()
        raise LockedError from error
