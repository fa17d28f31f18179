"""What tests of a server's own faults ask of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.installation import Installation
from tests.programs import borg_command

SECONDS = 60.0  # within which a fault is noticed


def until(condition: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait for something to become true; it fails the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def health(installation: Installation) -> tuple[int, str]:
    """The answer of /healthz."""
    return ask(installation, "GET", "/healthz")


def ask(installation: Installation, method: str, path: str) -> tuple[int, str]:
    parts = urlsplit(installation.web_url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, path, headers={"Origin": installation.web_url})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def is_told(installation: Installation, words: str) -> Callable[[], bool]:
    """Whether /healthz says this, with 503."""

    def told() -> bool:
        status, text = health(installation)
        return status == 503 and words in text

    return told


def is_well(installation: Installation) -> Callable[[], bool]:
    return lambda: health(installation) == (200, "ok")


def doctor(installation: Installation) -> str:
    return installation.try_hive("doctor").stdout


def create(installation: Installation, name: str) -> subprocess.CompletedProcess[str]:
    """Back up to alice's repository `laptop`, however that ends."""
    url = f"ssh://{login(installation)}@127.0.0.1:{installation.ssh_port}/./laptop::{name}"
    source = installation.directory / "source"
    source.mkdir(exist_ok=True)
    (source / name).write_text(f"{name}\n" * 100)
    return subprocess.run(
        [borg_command("1.4"), "create", url, "."],
        capture_output=True,
        text=True,
        cwd=source,
        env=installation.client_environment(),
        timeout=150,  # each step of a session may wait for a locked database
        check=False,
    )


def login(installation: Installation) -> str:
    """Of alice's repository; asked before the database is harmed."""
    kept = installation.directory / "login"
    if not kept.exists():
        kept.write_text(str(installation.json("repo", "show", "laptop")["login"]))
    return kept.read_text()


def notifications(installation: Installation) -> list[str]:
    """The titles of what administrators were notified of, the newest first."""
    rows = installation.json("notification", "list", "--user", "admin")
    return [str(row["title"]) for row in rows]


def notify_administrator(installation: Installation, url: str) -> None:
    """An administrator with a channel that works, so that alarms have somebody to go to."""
    words = ("--kind", "webhook", "--set", f"url={url}", "--set", "method=POST")
    installation.hive_all(
        ["user", "add", "admin", "--admin"],
        ["channel", "allow", "127.0.0.1"],
        ["channel", "add", "hook", "--owner", "admin", *words],
        ["rule", "add", "all", "--user", "admin", "--channel", "hook"],
    )


def script(path: Path, body: str) -> None:
    """Put a program of a few lines in place of whatever lies there."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(f"#!/bin/sh\n{body}\n")
    fresh.chmod(0o755)
    fresh.replace(path)
