"""Give this process a separate file system, in which only named places exist.

Part of the launcher (hive/process/confine.py). A place keeps its path, so that nothing needs
translating, and it is there whoever may pass its real parent directories. Processes stay visible
to each other's numbers: borg's locks name a process by its number, so there is no PID namespace.
"""

from __future__ import annotations

import os
import stat

from hive.process.confine_kernel import checked, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Mounts(TypedDict):
        """The whole new file system. Symbolic links are made as named, path to target."""

        read_only: list[str]
        writable: list[str]
        links: dict[str, str]
        directory: str


NEW_MOUNTS, NEW_USERS = 0x00020000, 0x10000000
READ_ONLY, NO_SETUID, NO_DEVICES, REMOUNT, BIND = 1, 2, 4, 32, 4096
RECURSIVE, PRIVATE = 16384, 1 << 18
DETACH = 2
# A mount's own flags must be given again when it is remounted: as statvfs has them, as mount.
KEPT_FLAGS = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
# Hidden while the new file system is built, in this process alone; every system has it, and it is
# no place of `Mounts` itself (of what is, the new file system would be found in its place).
BUILT_ON = "/dev"


def enter(mounts: Mounts) -> None:
    """Leave the system's files behind for those of `mounts`; the working directory is one."""
    _unshare()
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    wanted = [(path, READ_ONLY) for path in mounts["read_only"]]
    wanted += [(path, 0) for path in mounts["writable"]]
    # The outermost first, and of the same place the more generous.
    wanted.sort(key=lambda place: (place[0].count("/"), place))
    sources = [(path, flags, _open(path, is_writable=not flags)) for path, flags in wanted]
    _mount("none", BUILT_ON, "tmpfs", NO_SETUID | NO_DEVICES, "mode=0755,size=1m")
    given: dict[str, int] = {}
    for path, flags, source in sources:
        above = next((place for place in _upwards(path) if place in given), None)
        if above is not None and given[above] <= flags:
            continue
        _bind(source, path, flags, is_new=above is None)
        given[path] = flags
    for link, target in mounts["links"].items():
        if not any(place in given for place in _upwards(link)):
            _make_parents(link)
            os.symlink(target, BUILT_ON + link)  # noqa: PTH211 - loads less
    _make_root(mounts["directory"])


def _unshare() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        checked(libc.unshare(NEW_MOUNTS))
        return
    checked(libc.unshare(NEW_MOUNTS | NEW_USERS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - loads less
            file.write(text)


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    words = [word and os.fsencode(word) for word in (source, target, kind)]
    checked(libc.mount(*words, flags, data and data.encode()))


def _open(path: str, *, is_writable: bool) -> int:
    """What is looked at is what will be mounted; where writing is allowed no link is followed."""
    source = os.open(path, os.O_PATH | os.O_CLOEXEC | (os.O_NOFOLLOW if is_writable else 0))
    if stat.S_ISLNK(os.fstat(source).st_mode):
        message = f"{path} is a symbolic link"
        raise ValueError(message)
    return source


def _upwards(path: str) -> list[str]:
    """The path itself and all above it but the root."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 1, -1)]


def _make_parents(path: str) -> None:
    for above in reversed(_upwards(path)[1:]):
        try:
            os.mkdir(BUILT_ON + above, 0o755)  # noqa: PTH102 - loads less
        except FileExistsError:
            continue


def _bind(source: int, path: str, flags: int, *, is_new: bool) -> None:
    target = BUILT_ON + path
    if is_new:
        _make_parents(path)
        if stat.S_ISDIR(os.fstat(source).st_mode):
            os.makedirs(target, 0o755, exist_ok=True)  # noqa: PTH103 - loads less
        else:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
    _mount(f"/proc/self/fd/{source}", target, None, BIND | RECURSIVE)
    if flags:
        found = os.statvfs(target).f_flag
        kept = sum(flag for name, flag in KEPT_FLAGS.items() if found & name)
        _mount(None, target, None, BIND | REMOUNT | READ_ONLY | kept)


def _make_root(directory: str) -> None:
    """Make what was built the root, and let go of everything else."""
    os.chdir(BUILT_ON)
    checked(libc.pivot_root(b".", b"."))
    checked(libc.umount2(b".", DETACH))
    os.chdir("/")
    _mount(None, "/", None, BIND | REMOUNT | READ_ONLY | NO_SETUID | NO_DEVICES)
    os.chdir(directory)
