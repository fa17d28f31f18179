"""Backups that take long enough to be seen, stopped or killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.gate.files import noise
from tests.e2e.installation import Installation

_KIB_A_SECOND = 8000


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def make_big_source(directory: Path) -> Path:
    directory.mkdir()
    for number in range(12):
        (directory / str(number)).write_bytes(noise(5_000_000, seed=number))
    return directory


def start_big_backup(
    installation: Installation, source: Path, name: str = "laptop"
) -> subprocess.Popen[bytes]:
    """A backup that is in the middle of its data when this returns."""
    repository = installation.json("repo", "show", name)
    data = Path(repository["path"]) / "data"

    def size() -> int:
        return sum(path.stat().st_size for path in data.rglob("*") if path.is_file())

    before = size()
    # slow rather than large: what is uploaded costs all of the machine
    words = ("create", "--upload-ratelimit", str(_KIB_A_SECOND), f"{repository['url']}::big", ".")
    process = installation.start_borg(*words, cwd=source)
    wait_for(lambda: size() > before + 10_000_000)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
