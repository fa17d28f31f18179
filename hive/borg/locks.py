"""Borg's locks on disk, seen from the server: whose they are, and taking away dead ones.

borg 1: `lock.exclusive/` holds one file HOSTID.PID-THREAD; `lock.roster` is JSON with the lists
`exclusive` and `shared` of [HOSTID, PID, THREAD]. HOSTID is BORG_HOST_ID where that is set. While
one is being taken, a directory of another name lies beside it for a moment.
borg 2: `locks/` holds a JSON object for each; the holder is the client, not the server.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_NAME = re.compile(r"(?P<host>.+)\.(?P<pid>\d{1,10})-(?P<thread>[0-9a-f]{1,16})", re.ASCII)
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Holder:
    host_id: str
    pid: int


@dataclass(frozen=True)
class Lock:
    """`since` is when it was taken; of a shared lock of borg 1, when the last one was."""

    holder: Holder
    is_exclusive: bool
    since: datetime | None


IsGone = Callable[[Holder], bool]


def exclusive_holder(repository: Path) -> Holder | None:
    """Who holds borg 1's exclusive lock, or None where nobody does."""
    lock = next(_exclusive(repository), None)
    return lock.holder if lock is not None else None


def is_locked(repository: Path) -> bool:
    """Whether borg 1 has left anything of a lock on the disk, dead or alive."""
    return any(os.path.lexists(repository / name) for name in ("lock.exclusive", "lock.roster"))


def read_locks(repository: Path) -> list[Lock]:
    """All locks, each once; what vanishes meanwhile or is no lock is left out. Blocking."""
    found: dict[tuple[Holder, bool], Lock] = {}
    for lock in (*_exclusive(repository), *_in_roster(repository), *_of_borg2(repository)):
        found.setdefault((lock.holder, lock.is_exclusive), lock)
    return list(found.values())


def remove_locks_of(host_id: str, repository: Path) -> int:
    """Remove every lock of that host id; call only when none of its processes is left.

    Returns how many there were. A lock of another host is left alone.
    """
    return remove_locks(repository, lambda holder: holder.host_id == host_id)


def remove_locks(repository: Path, is_gone: IsGone) -> int:
    """Remove the locks whose holder is gone; returns how many there were. Blocking."""
    removed = _remove_exclusive(repository / "lock.exclusive", is_gone)
    removed += _remove_from_roster(repository / "lock.roster", is_gone)
    for path, lock in _borg2_objects(repository):
        if is_gone(lock.holder):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def take_exclusive(repository: Path, mine: Holder) -> list[Lock]:
    """Take borg 1's exclusive lock as borg itself does; what is in the way, or nothing. Blocking.

    A directory with the holder's file in it is renamed to its name, which fails where another one
    lies there; readers are in the roster, which only changes while somebody has this lock.
    """
    target = repository / "lock.exclusive"
    made = Path(tempfile.mkdtemp(".tmp", "lock.exclusive.", repository))
    file = made / f"{mine.host_id}.{mine.pid}-0"
    try:
        file.touch()
        owner = repository.stat()
        if os.geteuid() == 0:  # a borg of the repository's owner must be able to see whose it is
            for path in (file, made):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        made.rename(target)
    except OSError:
        file.unlink(missing_ok=True)
        made.rmdir()
        found = list(_exclusive(repository))
        if not found:
            raise
        return found
    readers = list(_in_roster(repository))
    if readers:
        release(repository, mine)
    return readers


def release(repository: Path, mine: Holder) -> None:
    """Give back what `take_exclusive` took. Blocking."""
    _remove_exclusive(repository / "lock.exclusive", lambda holder: holder == mine)


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _changed(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _holder_named(name: str) -> Holder | None:
    match = _NAME.fullmatch(name)
    return Holder(match["host"], int(match["pid"])) if match else None


def _exclusive(repository: Path) -> Iterator[Lock]:
    for entry in _entries(repository / "lock.exclusive"):
        holder = _holder_named(entry.name)
        if holder is not None:
            yield Lock(holder, True, _changed(entry))


def _in_roster(repository: Path) -> Iterator[Lock]:
    path = repository / "lock.roster"
    roster = _opened(path, os.O_RDONLY, _roster)
    for kind, holders in (roster or {}).items():
        for listed in holders:
            holder = _holder_listed(listed)
            if holder is not None:
                yield Lock(holder, kind == "exclusive", _changed(path))


def _holder_listed(listed: object) -> Holder | None:
    match listed:
        case [str(host_id), int(pid), int()] if not isinstance(pid, bool):
            return Holder(host_id, pid)
    return None


def _of_borg2(repository: Path) -> Iterator[Lock]:
    for _, lock in _borg2_objects(repository):
        yield lock


def _borg2_objects(repository: Path) -> Iterator[tuple[Path, Lock]]:
    for path in _entries(repository / "locks"):
        match _opened(path, os.O_RDONLY, _json):
            case {"exclusive": bool(is_exclusive), "hostid": str(host_id), "processid": int(pid)}:
                yield path, Lock(Holder(host_id, pid), is_exclusive, _changed(path))


def _opened(path: Path, flags: int, use: Callable[[int], T]) -> T | None:
    """What `use` makes of the open file; None where it cannot be opened. Never follows a link."""
    try:
        # a pipe that somebody put there must not hold us up
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return use(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _json(descriptor: int) -> Any:  # noqa: ANN401 - whatever JSON holds
    content = os.pread(descriptor, _MAX_BYTES + 1, 0)
    try:
        return json.loads(content) if len(content) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return None


def _roster(descriptor: int) -> dict[str, list[Any]] | None:
    content = _json(descriptor)
    if not isinstance(content, dict):
        return None
    if not all(isinstance(holders, list) for holders in content.values()):
        return None
    return content


def _remove_exclusive(directory: Path, is_gone: IsGone) -> int:
    removed = 0
    for entry in _entries(directory):
        holder = _holder_named(entry.name)
        if holder is not None and is_gone(holder):
            entry.unlink(missing_ok=True)
            removed += 1
    if removed:
        with suppress(OSError):  # somebody took the lock this very moment
            directory.rmdir()
    return removed


def _remove_from_roster(path: Path, is_gone: IsGone) -> int:
    def remove(descriptor: int) -> tuple[int, bool]:
        kept: dict[str, list[Any]] = {}
        removed = 0
        for kind, listed in (_roster(descriptor) or {}).items():
            others = [one for one in listed if not _is_gone(one, is_gone)]
            removed += len(listed) - len(others)
            if others:
                kept[kind] = others
        if removed and kept:
            # in place: the file stays its owner's
            text = json.dumps(kept).encode()
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        return removed, not kept

    removed, is_empty = _opened(path, os.O_RDWR, remove) or (0, False)
    if removed and is_empty:
        path.unlink(missing_ok=True)
    return removed


def _is_gone(listed: object, is_gone: IsGone) -> bool:
    holder = _holder_listed(listed)
    return holder is not None and is_gone(holder)
