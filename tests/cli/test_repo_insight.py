"""What hive repo shows of a real repository, and hive repo break-lock."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hive.config.settings import Settings
from hive.services import runtime
from hive.services.measurements import statistics
from tests import factories
from tests.cli.conftest import Run

KEYS = [  # a promise to scripts; more may follow
    *("id", "name", "login", "owner", "groups", "location", "mode", "path", "url", "keys"),
    *("quota_bytes", "size_bytes", "state", "last_backup_at", "last_access_at", "created_at"),
]


@pytest.fixture
def path(documents: dict[str, Any], tmp_path: Path) -> Path:
    made = Path(documents["path"])
    content = "".join(f"{number:09}\n" for number in range(100_000))
    factories.make_borg_repository(made, tmp_path / "borg", content=content)
    return made


async def measure(settings: Settings) -> str:
    """As the server does at start; returns the host id of its locks."""
    await runtime.start(settings)
    try:
        await statistics.measure_all()
        return runtime.host_id()
    finally:
        await runtime.stop()


def lock(path: Path, host_id: str, pid: int) -> None:
    (path / "lock.exclusive").mkdir()
    (path / "lock.exclusive" / f"{host_id}.{pid}-0").touch()
    (path / "lock.roster").write_text(json.dumps({"exclusive": [[host_id, pid, 0]]}))


def test_show_tells_what_was_measured(run: Run, path: Path, settings: Settings) -> None:
    before = run("repo", "show", "documents")
    assert before.status == 0
    asyncio.run(measure(settings))
    shown = run("repo", "show", "documents").output
    labels = [line.split("  ")[0] for line in shown.splitlines()]
    assert {"encryption", "live", "reclaimable", "measured"} <= set(labels)
    assert not {"growth", "quota full on", "lock"} & set(labels)  # of which nothing is known
    document = run("repo", "show", "documents", "--json").json
    assert list(document)[: len(KEYS)] == KEYS
    assert document["encryption"] == "none"
    assert document["live_bytes"] > 0
    assert document["locks"] == []
    assert document["growth_bytes_per_week"] is None


def test_a_dead_lock_is_shown_marked_and_broken(run: Run, path: Path, settings: Settings) -> None:
    lock(path, asyncio.run(measure(settings)), 4_000_000)
    assert "process 4000000, which is gone" in run("repo", "show", "documents").output
    assert "stale" in run("repo", "list").output
    done = run("repo", "break-lock", "documents", "--json")
    assert (done.status, [one["pid"] for one in done.json["removed"]]) == (0, [4_000_000])
    assert "is not locked" in run("repo", "break-lock", "documents").output
    assert "stale" not in run("repo", "list").output


def test_a_lock_of_another_host_needs_force_and_a_yes(run: Run, path: Path) -> None:
    lock(path, "another@4711", os.getpid())
    refused = run("repo", "break-lock", "documents")
    assert refused.status == 1
    assert "another@4711" in refused.messages
    assert "--force" in refused.messages
    assert run("repo", "break-lock", "documents", "--force").status == 2
    assert run("repo", "break-lock", "documents", "--force", "--yes").output == "1 lock removed.\n"
    assert not (path / "lock.exclusive").exists()
