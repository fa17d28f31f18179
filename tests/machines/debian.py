"""Debian systems in directories: made by mmdebstrap, entered by chroot, gone with the test.

Packages come from where this machine gets its own: apt's options, pip's configuration and the
certificates that this machine trusts are handed on, and no registry is named here.
"""

from __future__ import annotations

import configparser
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs import CHECKOUT

STABLE, TESTING = "trixie", "testing"
SECONDS_TO_MAKE = 600
SECONDS_TO_RUN = 900
MAX_AGE = 24 * 3600  # seconds that a system once made serves further runs
CERTIFICATES = "/etc/borg-hive-certificates.crt"  # no package writes there

_KEPT = CHECKOUT / "build" / "machines"
_APT_OPTIONS = ("Acquire::Check-", "Acquire::http", "Acquire::ForceIPv", "Acquire::Retries")
# Mounts are seen by this process and its children alone, and end with them.
_ENTER = r"""
set -e
for kind in proc sysfs; do
    directory=$1/proc; [ $kind = proc ] || directory=$1/sys
    mount -t $kind $kind "$directory"
done
mount --rbind /dev "$1/dev"
cp /etc/resolv.conf /etc/hosts "$1/etc/"
exec chroot "$@"
"""


def skip_unless_possible(*programs: str) -> None:
    """Skip, with the reason, where such systems cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("making other systems needs root")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: script/test --long installs it as root")


def system_tar(suite: str, scratch: Path) -> Path:
    """A minimal system of one Debian suite as a tar file; made once a day."""
    skip_unless_possible("mmdebstrap", "unshare")
    _KEPT.mkdir(parents=True, exist_ok=True)
    made = _KEPT / f"{suite}.tar"
    with (_KEPT / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or time.time() - made.stat().st_mtime > MAX_AGE:
            _make(suite, made, scratch)
    return made


def _make(suite: str, target: Path, scratch: Path) -> None:
    apt_options = scratch / "apt.conf"
    apt_options.write_text(_apt_options())
    pip_options = scratch / "pip.conf"
    pip_options.write_text(_pip_options())
    unfinished = target.with_suffix(".new.tar")
    hooks = [f"upload {pip_options} /etc/pip.conf"]
    if certificates := _certificates():
        hooks.append(f"upload {certificates} {CERTIFICATES}")
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--aptopt={apt_options}"),
            *(f"--customize-hook={hook}" for hook in hooks),
            *(suite, str(unfinished)),
        ],
        check=True,
        timeout=SECONDS_TO_MAKE,
    )
    unfinished.rename(target)


def _apt_options() -> str:
    command = ["apt-config", "dump", "--format", '%f "%v";%n', "Acquire"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    kept = [line for line in lines if line.startswith(_APT_OPTIONS) and not line.endswith('"";')]
    return "".join(f"{line}\n" for line in kept)


def _pip_options() -> str:
    """pip's options of this machine, but for those that name its own files."""
    options = configparser.RawConfigParser()
    options.read("/etc/pip.conf")
    if not options.has_section("global"):
        options.add_section("global")
    for name, value in os.environ.items():
        if name in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"}:
            options.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    if _certificates():
        options.set("global", "cert", CERTIFICATES)
    lines = [f"{name} = {value}\n" for name, value in options.items("global")]
    return "[global]\n" + "".join(lines)


def _certificates() -> str | None:
    """The file of the certificates that this machine trusts, where it is not pip's own."""
    path = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    return path if path and Path(path).is_file() else None


@dataclass(frozen=True)
class System:
    """One system that may be changed at will."""

    root: Path

    @classmethod
    def unpack(cls, tar: Path, root: Path) -> System:
        root.mkdir()
        command = ["tar", "--numeric-owner", "-xpf", str(tar), "-C", str(root)]
        subprocess.run(command, check=True)
        return cls(root)

    def run(self, *argv: str, seconds: float = SECONDS_TO_RUN) -> subprocess.CompletedProcess[str]:
        """Run a command as root in it; what it started ends with it."""
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private"]
        return subprocess.run(
            [*enter, "sh", "-c", _ENTER, "enter", self.root, *argv],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "LANG": "C.UTF-8",
            },
        )

    def must(self, *argv: str) -> str:
        done = self.run(*argv)
        assert done.returncode == 0, (argv, done.stdout[-3000:], done.stderr[-6000:])
        return done.stdout

    def install(self, *packages: str) -> None:
        self.must("apt-get", "update", "-qq")
        options = ("-y", "-qq", "--no-install-recommends")
        self.must(
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *packages
        )

    def put_checkout(self, inside: str) -> None:
        """Copy what git knows of this checkout, with what was changed and is not committed."""
        copy_checkout(self.root / inside.lstrip("/"))


def copy_checkout(target: Path) -> None:
    target.mkdir(parents=True)
    known = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, known):
        source = CHECKOUT / name
        if source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def _git(*arguments: str) -> str:
    command: Sequence[str] = ["git", "-C", str(CHECKOUT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
