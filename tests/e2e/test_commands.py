"""Commands beside a running server: what they change takes effect at once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.big_backups import end, wait_for
from tests.e2e.installation import Installation


def hold(installation: Installation) -> tuple[subprocess.Popen[bytes], Path]:
    """A client that holds the exclusive lock, and that lock."""
    repository = installation.json("repo", "show", "laptop")
    process = installation.start_borg(
        "with-lock", repository["url"], "sleep", "60", cwd=installation.directory
    )
    lock = Path(repository["path"]) / "lock.exclusive"
    wait_for(lock.is_dir)
    return process, lock


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ["key", "set", "laptop", "--disable"],
        ["key", "delete", "laptop"],
        ["repo", "set", "laptop", "--remove-key", "laptop"],
        ["repo", "set", "laptop", "--mode", "export"],
        ["repo", "delete", "laptop", "--yes"],
        ["session", "kill"],
    ],
    ids="-".join,
)
def test_a_command_ends_the_sessions_that_are_no_longer_allowed(
    backed_up: Installation, command: list[str]
) -> None:
    process, lock = hold(backed_up)
    running = backed_up.json("session", "list", "--live")
    assert len(running) == 1
    arguments = [*command, str(running[0]["id"])] if command[0] == "session" else command
    backed_up.hive(*arguments)
    wait_for(lambda: backed_up.json("session", "list", "--live") == [], seconds=10)
    assert not lock.exists()
    end(process)


@pytest.mark.long
def test_a_deleted_repository_comes_back_with_everything(backed_up: Installation) -> None:
    url = backed_up.json("repo", "show", "laptop")["url"]
    backed_up.hive("repo", "delete", "laptop", "--yes")
    assert "laptop" not in backed_up.hive("repo", "list")
    backed_up.borg("list", url, status=2)
    backed_up.hive("repo", "restore", "laptop")
    assert "one" in backed_up.borg("list", "--short", url)


@pytest.mark.long
def test_commands_work_while_the_server_does_not_run(backed_up: Installation) -> None:
    backed_up.stop()
    before = backed_up.json("repo", "show", "laptop")
    backed_up.hive("repo", "set", "laptop", "--quota", "5GB")
    after = backed_up.json("repo", "show", "laptop")
    assert (before["quota_bytes"], after["quota_bytes"]) == (None, 5_000_000_000)


@pytest.mark.long
def test_a_session_without_a_server_cannot_be_killed_but_is_said(
    backed_up: Installation,
) -> None:
    process, _ = hold(backed_up)
    number = str(backed_up.json("session", "list", "--live")[0]["id"])
    assert backed_up.server is not None
    os.kill(backed_up.server.pid, signal.SIGKILL)
    backed_up.wait()
    end(process)
    refused = backed_up.try_hive("session", "kill", number)
    assert refused.returncode in {0, 1}
    assert "Traceback" not in refused.stderr


def test_commands_that_start_together_on_a_new_data_directory_share_one_migration(
    installation: Installation,
) -> None:
    started = [installation.start_hive("user", "add", name) for name in ("alice", "bob", "carol")]
    for process in started:
        _, err = process.communicate(timeout=40)
        assert process.returncode == 0, err
    assert {user["name"] for user in installation.json("user", "list")} == {"alice", "bob", "carol"}


@pytest.mark.long
def test_a_backup_makes_a_repository_healthy_and_the_server_does_jobs(
    backed_up: Installation,
) -> None:
    shown = backed_up.json("repo", "show", "laptop")
    assert (shown["health"], shown["schedule"]["words"]) == ("fine", "every day")
    backed_up.hive("repo", "set", "laptop", "--every", "1m", "--grace", "0m")
    asked = backed_up.json("job", "run", "watch the disks")
    assert (asked["running"], asked["error"]) == (False, None)
    jobs = {job["name"]: job for job in backed_up.json("job", "list")}
    assert all(job["started_at"] for job in jobs.values())  # at start, by the server itself
    unknown = backed_up.try_hive("job", "run", "win")
    assert (unknown.returncode, "there are:" in unknown.stderr) == (1, True)
    assert backed_up.stop() == 0
    assert {job["running"] for job in backed_up.json("job", "list")} == {False}
    assert backed_up.json("job", "run", "watch-the-disks")["error"] is None
