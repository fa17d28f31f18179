"""Give a repository to the account that its programs run as.

By directory descriptors from the storage root down, so that no name is looked up twice: what was
looked at is what is given, and no link leads anywhere. What is on top is given last: a walk that
was cut off is known by it and begins again, at little cost for what was given already.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hive import memory
from hive.errors import StorageError
from hive.process.spec import RunAs
from hive.sentences import say

# A repository is three levels deep; a tree that goes on like this was made to exhaust somebody.
DEEPEST = 64

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class _Memory:
    walks: dict[Path, threading.Lock] = field(default_factory=dict)
    # no walk may keep a server from ending
    stopped: threading.Event = field(default_factory=threading.Event)


def stop() -> None:
    """Have all walks end with StorageError, those that come too."""
    memory.of(_Memory).stopped.set()


def is_given(directories: Sequence[Path], run_as: RunAs) -> bool:
    """Whether all of these that are there belong to the user."""
    for directory in directories:
        try:
            if directory.lstat().st_uid != run_as.uid:
                return False
        except FileNotFoundError:
            continue
    return True


def give(home: Path, names: Sequence[str], run_as: RunAs) -> int:
    """Give the directories of these names in `home`, and `home` itself; how much was not theirs.

    Blocking: call in a thread. Of two that come at once, the second waits for the first. Raises
    StorageError as `chown_tree` does.
    """
    stopped = memory.of(_Memory).stopped
    with _one_at_a_time(home), _opened(home.parent, follow=True) as root:
        given = 0
        try:
            directory = os.open(home.name, _DIRECTORY, dir_fd=root)
            try:
                for name in names:
                    given += _give_named(directory, home / name, run_as, stopped)
                given += _give_itself(directory, run_as)
            finally:
                os.close(directory)
        except OSError as error:
            raise _failed(home, run_as, error) from error
        return given


def chown_tree(path: Path, run_as: RunAs) -> int:
    """Give a tree to the user its programs run as; the number of things that were not theirs.

    Links are given, never followed. Raises StorageError for what a repository does not hold: a
    file with several names, of which one may be somebody else's, or a device, socket or FIFO.
    """
    try:
        with _opened(path, follow=False) as directory:
            return _give_directory(directory, path, run_as, memory.of(_Memory).stopped)
    except OSError as error:
        raise _failed(path, run_as, error) from error


def _failed(path: Path, run_as: RunAs, error: OSError) -> StorageError:
    return StorageError(
        "%(path)s cannot be given to user %(uid)s: %(error)s",
        path=path,
        uid=run_as.uid,
        error=error,
    )


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    walks = memory.of(_Memory).walks
    lock = walks.setdefault(home, threading.Lock())
    with lock:
        try:
            yield
        finally:
            walks.pop(home, None)  # who waits has the lock in hand, and finds nothing to do


@contextmanager
def _opened(path: Path, *, follow: bool) -> Iterator[int]:
    descriptor = os.open(path, _DIRECTORY & ~os.O_NOFOLLOW if follow else _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _give_named(parent: int, path: Path, run_as: RunAs, stopped: threading.Event) -> int:
    try:
        directory = os.open(path.name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return 0
    try:
        if os.fstat(directory).st_uid == run_as.uid:
            return 0  # it is on top, and was given last
        return _give_directory(directory, path, run_as, stopped)
    finally:
        os.close(directory)


def _give_itself(directory: int, run_as: RunAs) -> int:
    if _is_theirs(os.fstat(directory), run_as):
        return 0
    os.fchown(directory, run_as.uid, run_as.gid)
    return 1


def _give_directory(
    directory: int, path: Path, run_as: RunAs, stopped: threading.Event, depth: int = 0
) -> int:
    if stopped.is_set():
        message = say("%(path)s is not given yet: the server stops", path=path)
        raise StorageError(message)
    if depth > DEEPEST:
        message = say(
            "%(path)s lies more than %(deepest)s directories deep", path=path, deepest=DEEPEST
        )
        raise StorageError(message)
    given = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            found = path / entry.name
            if entry.is_dir(follow_symlinks=False):
                inner = os.open(entry.name, _DIRECTORY, dir_fd=directory)
                try:
                    given += _give_directory(inner, found, run_as, stopped, depth + 1)
                finally:
                    os.close(inner)
            elif not _is_theirs(entry.stat(follow_symlinks=False), run_as):
                _give_entry(directory, entry.name, found, run_as)
                given += 1
    return given + _give_itself(directory, run_as)


def _is_theirs(status: os.stat_result, run_as: RunAs) -> bool:
    return (status.st_uid, status.st_gid) == (run_as.uid, run_as.gid)


def _give_entry(directory: int, name: str, path: Path, run_as: RunAs) -> None:
    """Look at one thing and give away that same thing, whatever its name stands for meanwhile."""
    entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        status = os.fstat(entry)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            message = say("%(path)s is neither a file nor a directory", path=path)
            raise StorageError(message)
        if status.st_nlink > 1:
            message = say(
                "%(path)s is a file with several names, one of which may lie elsewhere, so that it"
                " stays as it is. Put a copy of the file in its place",
                path=path,
            )
            raise StorageError(message)
        os.chown(f"/proc/self/fd/{entry}", run_as.uid, run_as.gid)
    except FileNotFoundError as error:
        raise OSError(errno.ENOENT, "no /proc", str(path)) from error
    finally:
        os.close(entry)
