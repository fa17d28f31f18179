"""What a server leaves that was killed, or whose data directory was copied; with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.e2e.test_full_disk import Server, until
from tests.full_disks import may_mount
from tests.programs import borg_command

COPY_ROW = "INSERT INTO session ({0}) SELECT {0} FROM session WHERE id = ? LIMIT 1"


class NamedHost(Installation):
    """A server on a machine of another name each time, as a container that is made again."""

    name = "container-1"

    def _hive(self) -> list[str]:
        script = 'hostname "$0"; exec "$@"'
        return ["/usr/bin/unshare", "-u", "sh", "-c", script, self.name, *super()._hive()]


def database(installation: Installation) -> sqlite3.Connection:
    return sqlite3.connect(installation.data / "hive.sqlite3", timeout=10)


def rows(installation: Installation, sql: str) -> list[tuple[Any, ...]]:
    with closing(database(installation)) as connection:
        return [tuple(row) for row in connection.execute(sql)]


def copy_rows(installation: Installation, session_id: int, count: int) -> None:
    """Leave open rows as a dead server does, in the database of one that runs."""
    with closing(database(installation)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(session)")]
        columns = ", ".join(f'"{name}"' for name in names if name != "id")
        for _ in range(count):
            new = connection.execute(COPY_ROW.format(columns), [session_id]).lastrowid
            connection.execute(
                "UPDATE session SET ended_at = NULL, end_reason = NULL WHERE id = ?", [new]
            )
        connection.commit()


@contextmanager
def backup_under_way(server: Server, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A borg create whose input has not come to its end."""
    process = subprocess.Popen(
        [borg_command("1.4"), "create", f"{server.url}::{name}", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=server.installation.client_environment(),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(os.urandom(9_000_000))
        process.stdin.flush()
        until(lambda: is_open(server.installation))
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()


def is_open(installation: Installation) -> bool:
    return bool(rows(installation, "SELECT 1 FROM session WHERE ended_at IS NULL"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(Installation(tmp_path))
    try:
        made.begin(has_ballast=False)
        yield made
    finally:
        made.installation.close()


@pytest.mark.long
def test_sessions_that_do_not_run_lock_nobody_out(server: Server) -> None:
    one = server.installation
    (last,) = rows(one, "SELECT max(id) FROM session")
    copy_rows(one, last[0], 8)
    killed = one.hive("session", "kill", str(last[0] + 1))
    assert "was not running any more and is now closed" in killed
    # the others are found, and a check that waits for them says so, and comes to its end
    check = one.try_hive("repo", "check", "laptop")
    assert check.returncode == 0, check
    assert "The check waits: Session" in check.stderr
    assert not is_open(one)
    server.create("one", 1000)


@pytest.mark.long
def test_a_session_that_runs_is_ended_and_said_to_be(server: Server) -> None:
    one = server.installation
    with backup_under_way(server, "one") as backup:
        (row,) = rows(one, "SELECT id FROM session WHERE ended_at IS NULL")
        assert "was ended (killed)" in one.hive("session", "kill", str(row[0]))
        assert backup.stdin is not None
        backup.stdin.close()  # borg looks at its connection when it has read that
        assert backup.wait(timeout=30) != 0
    again = one.try_hive("session", "kill", str(row[0]))
    assert (again.returncode, "has ended already" in again.stderr) == (1, True)


@pytest.mark.long
def test_a_session_is_closed_by_a_command_where_no_server_runs(server: Server) -> None:
    one = server.installation
    (last,) = rows(one, "SELECT max(id) FROM session")
    one.stop()
    copy_rows(one, last[0], 1)
    killed = one.hive("session", "kill", str(last[0] + 1))
    assert "was not running any more and is now closed" in killed
    assert not is_open(one)


@pytest.mark.long
@pytest.mark.skipif(not may_mount(), reason="another host name cannot be given here")
def test_a_server_that_was_killed_and_starts_under_another_name_closes_its_sessions(
    tmp_path: Path,
) -> None:
    installation = NamedHost(tmp_path)
    server = Server(installation)
    try:
        server.begin(has_ballast=False)
        with backup_under_way(server, "one"):
            assert installation.server is not None
            os.killpg(installation.server.pid, signal.SIGKILL)
            installation.wait()
        assert is_open(installation)
        installation.name = "container-2"
        installation.start()
        assert not is_open(installation)
        assert rows(installation, "SELECT DISTINCT end_reason FROM session ORDER BY 1")[-1] == (
            "interrupted",
        )
        server.create("two", 1000)
        assert server.archives() == {"zero", "two"}
    finally:
        installation.close()


@pytest.mark.long
def test_a_copy_of_the_data_directory_leaves_the_processes_of_the_original_alone(
    server: Server, tmp_path: Path
) -> None:
    with backup_under_way(server, "one") as backup:
        other = Installation(tmp_path / "copy")
        other.directory.mkdir()
        ignore = shutil.ignore_patterns("control.sock")
        shutil.copytree(server.data, other.data, ignore=ignore, symlinks=True)
        try:
            other.start()
            assert not is_open(other)  # it runs none of them
            assert is_open(server.installation)
            assert backup.poll() is None
            nodes = [
                rows(one, "SELECT node FROM installation") for one in (server.installation, other)
            ]
            assert nodes[0] != nodes[1]
            assert backup.stdin is not None
            backup.stdin.close()
            assert backup.wait(timeout=60) == 0
        finally:
            other.close()
    assert server.archives() == {"zero", "one"}
