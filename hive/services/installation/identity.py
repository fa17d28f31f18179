"""Which data directory this is: the id of this node, and the token that its children carry.

<data directory>/node says it, with what tells the directory from a copy of it: its device and
inode, and the file's own inode. A device is compared within one boot only, for it may get another
number at the next. Blocking, but quick.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hive import files
from hive.config.settings import Paths
from hive.errors import StorageError

PREFIX = "node-"  # of all ids: former versions named nodes by their hosts

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MOST = 4096


@dataclass(frozen=True, kw_only=True)
class DirectoryIdentity:
    """`run` is the token of the server that was started last, and of commands since."""

    id: str
    run: str
    device: int
    inode: int
    file: int  # 0: of none
    boot: str

    @property
    def is_stored(self) -> bool:
        """Whether it will be the same at the next start."""
        return self.file != 0


def ensure(paths: Paths, *, is_server: bool) -> DirectoryIdentity:
    """The identity of this data directory, made where there is none or it is a copy's.

    `is_server`: nobody else can be at it. A command leaves it alone where a server runs.
    """
    try:
        found = _read(paths.node)
        if found is not None and _is_of(found, paths):
            return found
        if is_server:
            return _write(paths, _new(paths))
        directory = os.open(paths.run, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _write(paths, _new(paths))
        except BlockingIOError:
            return found or _new(paths)
        finally:
            os.close(directory)
    except OSError as error:
        raise StorageError(
            "%(node)s cannot be written: %(strerror)s.", node=paths.node, strerror=error.strerror
        ) from error


def begin_run(paths: Paths, identity: DirectoryIdentity) -> DirectoryIdentity:
    """Give the children that are started from now on another token."""
    try:
        return _write(paths, replace(identity, run=secrets.token_hex(16)))
    except OSError as error:
        raise StorageError(
            "%(node)s cannot be written: %(strerror)s.", node=paths.node, strerror=error.strerror
        ) from error


def _new(paths: Paths) -> DirectoryIdentity:
    status = paths.data_dir.stat()
    return DirectoryIdentity(
        id=f"{PREFIX}{uuid.uuid4().hex}",
        run=secrets.token_hex(16),
        device=status.st_dev,
        inode=status.st_ino,
        file=0,
        boot=_boot(),
    )


def _is_of(found: DirectoryIdentity, paths: Paths) -> bool:
    """Whether the file was written in this directory, and is not a copy from another one."""
    status = paths.data_dir.stat()
    is_same_boot = found.boot == _boot()
    return (
        found.inode == status.st_ino
        and found.file == paths.node.stat().st_ino
        and (found.device == status.st_dev or not is_same_boot)
    )


def _boot() -> str:
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return ""


def _read(path: Path) -> DirectoryIdentity | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MOST)
    try:
        values = json.loads(content)
        return DirectoryIdentity(
            id=str(values["id"]),
            run=str(values["run"]),
            device=int(values["device"]),
            inode=int(values["inode"]),
            file=int(values["file"]),
            boot=str(values["boot"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _write(paths: Paths, identity: DirectoryIdentity) -> DirectoryIdentity:
    """Write it atomically, with the inode of the file that it is written to.

    On a full disk, the former one stays.
    """
    try:
        with files.replacing(paths.node) as file:
            status = paths.data_dir.stat()
            written = replace(
                identity,
                device=status.st_dev,
                inode=status.st_ino,
                file=os.fstat(file.fileno()).st_ino,
                boot=_boot(),
            )
            file.write(json.dumps(asdict(written)).encode())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return identity  # a full disk keeps no server from starting
    return written
