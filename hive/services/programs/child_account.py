"""The account that programs of sessions run as where the server runs as root."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from pathlib import Path

from hive.config.settings import Settings
from hive.errors import Unavailable

_SECONDS = 30
_SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")


def ensure(settings: Settings) -> None:
    """Make the account where it is missing, as a package of a distribution would. It blocks.

    Raises Unavailable where it cannot be made, unless children may run as root.
    """
    name = settings.child.user
    if os.geteuid() != 0 or _exists(name):
        return
    argv = creation(name)
    error = _run(argv) if argv is not None else "there is neither useradd nor adduser"
    if error is not None and not _exists(name) and not settings.child.allow_root:
        raise Unavailable(
            "The server does not start: programs of sessions never run as root, there is no"
            " user %(name)s, and it cannot be made (%(error)s). As root run: %(command)s",
            name=name,
            error=error,
            command=command(name),
        )


def command(name: str) -> str:
    """What makes the account, as one command to type."""
    argv = creation(name) or _useradd("useradd", name)
    return shlex.join([Path(argv[0]).name, *argv[1:]])


def creation(name: str) -> list[str] | None:
    """What makes the account on this system; None where nothing does."""
    if useradd := shutil.which("useradd", path=_SYSTEM_PATH):
        return _useradd(useradd, name)
    if adduser := shutil.which("adduser", path=_SYSTEM_PATH):  # of busybox, as on Alpine
        return [adduser, "-S", "-D", "-H", "-h", "/nonexistent", "-s", _no_login(), name]
    return None


def _useradd(useradd: str, name: str) -> list[str]:
    return [
        useradd,
        *("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
        *("--shell", _no_login(), name),
    ]


def _no_login() -> str:
    return next((path for path in _NO_LOGIN if Path(path).exists()), _NO_LOGIN[0])


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _run(argv: list[str]) -> str | None:
    """Why it failed, in its own words; None where it did not."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            check=False,
            cwd="/",
            env={"PATH": _SYSTEM_PATH, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    words = " ".join(done.stderr.decode(errors="replace").split())
    return words[:300] or f"status {done.returncode}"
