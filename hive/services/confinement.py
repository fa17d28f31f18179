"""Which confinement can be had on this machine, and what is missing for the rest, in words."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive import confine
from hive.child import RunAs
from hive.errors import StorageError, Unavailable
from hive.services.findings import Finding
from hive.services.programs import program_roots

# A repository is three levels deep; a tree that goes on like this was made to exhaust somebody.
DEEPEST = 64
SECONDS_FOR_A_TRIAL = 10


@dataclass(frozen=True)
class Assessment:
    """What confinement can be applied, and why not more."""

    landlock: bool
    run_as: RunAs | None
    findings: tuple[Finding, ...]


def assess(
    *,
    user: str,
    roots: Sequence[Path],
    landlock_wanted: bool = True,
    programs: Sequence[str] = (),
) -> Assessment:
    """Find out what can be applied here; it tries, in short-lived processes, so it blocks.

    As root, programs run as `user` if there is one who reaches all `roots` and `programs`.
    """
    landlock, about_landlock = _assess_landlock(confine.landlock_abi(), wanted=landlock_wanted)
    if os.geteuid() == 0:
        run_as, about_user = _assess_user(user, roots, programs)
    else:
        run_as, about_user = None, [_ordinary_user()]
    return Assessment(landlock, run_as, (*about_landlock, *about_user))


def _assess_landlock(abi: int, *, wanted: bool) -> tuple[bool, list[Finding]]:
    subject = "Landlock"
    if not wanted:
        message = "Landlock is switched off: a hostile repository can reach other files"
        return False, [Finding("warning", subject, message, "Switch it on in the configuration.")]
    if abi == 0:
        message = "This kernel is without Landlock: a hostile repository can reach other files"
        remedy = "Use Linux 5.13 or newer with `landlock` in the boot option lsm=."
        return False, [Finding("warning", subject, message, remedy)]
    missing = [
        what
        for since, what in (
            (2, "renaming between directories is refused, which slows some rsync options"),
            (3, "emptying files outside the repository is not held back"),
            (4, "network connections are not held back"),
        )
        if abi < since
    ]
    if not missing:
        return True, [Finding("ok", subject, f"Landlock confines programs (version {abi})")]
    message = f"This kernel's Landlock (version {abi}) is old: {'; '.join(missing)}"
    return True, [Finding("warning", subject, message, "Use Linux 6.7 or newer.")]


def _ordinary_user() -> Finding:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"number {uid}"
    return Finding("ok", "User", f"The server and its programs run as the ordinary user {name}")


def _assess_user(
    user: str, roots: Sequence[Path], programs: Sequence[str]
) -> tuple[RunAs | None, list[Finding]]:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        message = f"There is no user {user}: programs run as root"
        return None, [_root_remains(message, f"useradd --system --shell /usr/sbin/nologin {user}")]
    run_as = RunAs(account.pw_uid, account.pw_gid)
    if run_as.uid == 0 or run_as.gid == 0:
        message = f"The user {user} is root, or in the group of root: programs run as root"
        return None, [_root_remains(message, "Name an ordinary user in the configuration.")]
    findings = [
        *_missing_roots(roots),
        *_out_of_reach(user, run_as, [root for root in roots if root.exists()], programs),
    ]
    if any(finding.level == "warning" for finding in findings):
        return None, findings
    return run_as, [Finding("ok", "User", f"Programs run as the user {user}"), *findings]


def _root_remains(message: str, remedy: str) -> Finding:
    return Finding("warning", "User", message, remedy)


def _missing_roots(roots: Sequence[Path]) -> Iterator[Finding]:
    for root in roots:
        if not root.exists():
            message = f"The storage root {root} does not exist"
            yield Finding("error", "Storage", message, f"mkdir -p {root}")


def _out_of_reach(
    user: str, run_as: RunAs, roots: Sequence[Path], programs: Sequence[str]
) -> Iterator[Finding]:
    """What keeps this user from the roots and the programs, found by becoming that user."""
    trial = shutil.which("test") or "/usr/bin/test"
    try:
        for root in roots:
            if blocking := _first_blocked(root, run_as, trial):
                message = f"The user {user} cannot pass {blocking} to reach {root}"
                yield _root_remains(f"{message}: programs run as root", f"chmod o+x {blocking}")
        for program in programs:
            for needed in (Path(program), *program_roots(program)):
                if blocking := _first_blocked(needed, run_as, trial):
                    message = f"The user {user} cannot pass {blocking} to run {program}"
                    remedy = f"Install {program} where everybody may read it."
                    yield _root_remains(f"{message}: programs run as root", remedy)
                    break
    except Unavailable as error:
        message = f"Nothing can be run as the user {user} ({error.message}): programs run as root"
        yield _root_remains(message, "Give the server CAP_SETUID and CAP_SETGID.")


def _first_blocked(path: Path, run_as: RunAs, trial: str) -> Path | None:
    """The outermost part of `path` that this user cannot use, None if all can be passed."""
    if _passes(path, run_as, trial):
        return None
    outside_in = [*reversed(path.parents), path]
    return next((part for part in outside_in if not _passes(part, run_as, trial)), path)


def _passes(path: Path, run_as: RunAs, trial: str) -> bool:
    """Whether this user may enter a directory or execute (else read) a file."""
    flag = "-x" if path.is_dir() or os.access(path, os.X_OK) else "-r"
    specification: confine.Specification = {
        "parent": os.getpid(),
        "environment": {},
        "umask": 0o077,
        "limits": {},
        "nice": 0,
        "io_priority": None,
        "user": (run_as.uid, run_as.gid),
        "landlock": False,
        "rules": {},
    }
    launcher = [sys.executable, "-I", "-S", confine.__file__, json.dumps(specification), "--"]
    try:
        done = subprocess.run(
            [*launcher, trial, flag, str(path)],
            capture_output=True,
            check=False,
            cwd="/",
            env={},
            timeout=SECONDS_FOR_A_TRIAL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode not in {0, 1}:
        raise Unavailable(done.stderr.decode(errors="replace").strip())
    return done.returncode == 0


def chown_tree(path: Path, run_as: RunAs) -> int:
    """Give a repository to the user its programs run as; the number of things that were not theirs.

    Links are given, never followed. Raises StorageError for what a repository does not hold: a
    file with several names, of which one may be somebody else's, or a device, socket or FIFO.
    """
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return _give_directory(directory, path, run_as, 0)
        finally:
            os.close(directory)
    except OSError as error:
        message = f"{path} cannot be given to user {run_as.uid}: {error}"
        raise StorageError(message) from error


def _give_directory(directory: int, path: Path, run_as: RunAs, depth: int) -> int:
    if depth > DEEPEST:
        message = f"{path} lies more than {DEEPEST} directories deep"
        raise StorageError(message)
    given = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            found = path / entry.name
            if entry.is_dir(follow_symlinks=False):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(entry.name, flags, dir_fd=directory)
                try:
                    given += _give_directory(inner, found, run_as, depth + 1)
                finally:
                    os.close(inner)
            elif not _is_theirs(entry.stat(follow_symlinks=False), run_as):
                _give_entry(directory, entry.name, found, run_as)
                given += 1
    if not _is_theirs(os.fstat(directory), run_as):
        os.fchown(directory, run_as.uid, run_as.gid)
        given += 1
    return given


def _is_theirs(status: os.stat_result, run_as: RunAs) -> bool:
    return (status.st_uid, status.st_gid) == (run_as.uid, run_as.gid)


def _give_entry(directory: int, name: str, path: Path, run_as: RunAs) -> None:
    """Look at one thing and give away that same thing, whatever its name stands for meanwhile."""
    entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        status = os.fstat(entry)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            message = f"{path} is neither a file nor a directory"
            raise StorageError(message)
        if status.st_nlink > 1:
            message = f"{path} is a file with several names, one of which may lie elsewhere"
            raise StorageError(message)
        os.chown(f"/proc/self/fd/{entry}", run_as.uid, run_as.gid)
    except FileNotFoundError as error:
        raise OSError(errno.ENOENT, "no /proc", str(path)) from error
    finally:
        os.close(entry)
