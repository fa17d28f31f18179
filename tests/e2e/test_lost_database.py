"""The database under a running server: deleted, replaced, damaged, locked. Nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.asking import (
    ask,
    create,
    doctor,
    is_told,
    is_well,
    login,
    notify_administrator,
    until,
)
from tests.e2e.installation import QUICK, Installation
from tests.e2e.receiver import Receiver

NAME = "hive.sqlite3"


@pytest.fixture
def installation(installation: Installation, request: pytest.FixtureRequest) -> Installation:
    installation.paces = {**QUICK, **getattr(request, "param", {})}
    return installation


@pytest.fixture
def served(backed_up: Installation, receiver: Receiver) -> Installation:
    notify_administrator(backed_up, receiver.url)
    login(backed_up)
    until(is_well(backed_up))
    return backed_up


def delete_all(data: Path) -> None:
    for path in data.glob(f"{NAME}*"):
        path.unlink()


def delete_alone(data: Path) -> None:
    (data / NAME).unlink()


def move_away(data: Path) -> None:
    for path in data.glob(f"{NAME}*"):
        path.rename(path.with_name(f"away-{path.name}"))


def delete_the_log(data: Path) -> None:
    (data / f"{NAME}-wal").unlink()
    (data / f"{NAME}-shm").unlink()


def replace_it(data: Path) -> None:
    with closing(sqlite3.connect(data / "other")) as other:
        other.execute("CREATE TABLE another (id INTEGER)")
    (data / "other").replace(data / NAME)


@pytest.mark.long
@pytest.mark.parametrize(
    ("harm", "how"),
    [
        (delete_all, "was deleted"),
        (delete_alone, "was deleted"),
        (move_away, "was deleted"),
        (replace_it, "was replaced"),
        (delete_the_log, "lost the files beside it (-wal and -shm)"),
    ],
)
def test_a_database_file_that_is_lost_is_kept_and_can_be_put_back(
    served: Installation, harm: Callable[[Path], None], how: str
) -> None:
    served.hive("user", "add", "just-before")
    before = set(served.data.glob(f"{NAME}*"))
    harm(served.data)
    left = {path.name for path in served.data.glob(f"{NAME}*")}
    until(is_told(served, f"database file {how} while the server runs: no session begins."))
    (rescued,) = served.data.glob(f"{NAME}.rescued-*")
    assert rescued.stat().st_mode & 0o777 == 0o600
    # no session, no change
    refused = create(served, "two")
    assert refused.returncode != 0
    assert "database file was deleted or replaced" in refused.stderr
    assert ask(served, "POST", "/login")[0] == 503
    # no second database beside the server
    done = served.try_hive("repo", "list")
    assert done.returncode == 1
    assert "is not the one that the running server has open" in done.stderr
    assert {one.name for one in served.data.glob(f"{NAME}*")} == left | {rescued.name}
    assert "ERROR" in doctor(served)
    assert before
    # the same after a restart
    assert served.stop() == 0
    if harm in (delete_all, delete_alone, move_away):
        done = served.try_hive("serve", "--ssh", "127.0.0.1:0", "--web", "127.0.0.1:0")
        assert done.returncode == 1
        assert "was there before and is gone" in done.stderr
        assert rescued.name in done.stderr
        assert not (served.data / NAME).exists()
        assert "was there before and is gone" in doctor(served)
    for leftover in ("-wal", "-shm", ""):
        (served.data / f"{NAME}{leftover}").unlink(missing_ok=True)
    shutil.copy(rescued, served.data / NAME)
    served.start()
    assert "just-before" in served.hive("user", "list")
    assert create(served, "three").returncode == 0
    until(is_well(served))


@pytest.mark.long
def test_a_file_that_comes_back_in_time_ends_the_alarm(served: Installation) -> None:
    move_away(served.data)
    until(is_told(served, "was deleted while the server runs"))
    for path in served.data.glob(f"away-{NAME}*"):
        path.rename(path.with_name(path.name.removeprefix("away-")))
    until(is_well(served))
    assert create(served, "two").returncode == 0


@pytest.mark.long
def test_a_session_that_runs_while_the_file_is_lost_is_in_the_copy(served: Installation) -> None:
    source = served.directory / "large"
    source.mkdir()
    (source / "file").write_bytes(os.urandom(30_000_000))
    url = served.json("repo", "show", "laptop")["url"]
    running = served.start_borg(
        "create", "--upload-ratelimit", "3000", f"{url}::slow", ".", cwd=source
    )
    until(lambda: bool(served.json("session", "list", "--live")))
    delete_all(served.data)
    assert running.wait(timeout=60) == 0
    until(is_told(served, "was deleted"))
    assert served.stop() == 0
    (rescued,) = served.data.glob(f"{NAME}.rescued-*")
    shutil.copy(rescued, served.data / NAME)
    newest = served.json("session", "list", "--limit", "1")[0]
    assert newest["operation"] == "create"
    assert newest["ended_at"] is not None


@pytest.mark.long
def test_damage_is_an_alarm(served: Installation) -> None:
    path = served.data / NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        for offset in range(4096 * 3, size, 4096 * 2):
            file.seek(offset)
            file.write(os.urandom(2048))
    until(is_told(served, "database is damaged"))
    assert "ERROR" in doctor(served)


@pytest.mark.long
def test_nonsense_from_the_first_byte_is_an_alarm_and_clients_are_told(
    served: Installation,
) -> None:
    path = served.data / NAME
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    until(is_told(served, "database"))
    refused = create(served, "two")
    assert refused.returncode == 0 or "database" in refused.stderr


@pytest.mark.long
def test_a_database_that_somebody_else_locks_is_an_alarm_as_long_as_that_lasts(
    served: Installation,
) -> None:
    with closing(sqlite3.connect(served.data / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(is_told(served, "database cannot be read or written"))
        refused = create(served, "two")
        assert refused.returncode != 0
        assert "database" in refused.stderr
        other.execute("ROLLBACK")
    until(is_well(served))
    assert create(served, "three").returncode == 0
    assert "The database fails" in served.hive("notification", "list")


_HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(served: Installation) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of the database until its input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, served.data / NAME], stdin=pipe, stdout=pipe
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


def status(served: Installation) -> tuple[int, str, float]:
    """What a client gets that asks for the status of its repository, and how long it takes."""
    words = served.client_environment()["BORG_RSH"].split()
    where = ["-p", str(served.ssh_port), f"{login(served)}@127.0.0.1", "status"]
    begun = time.monotonic()
    done = subprocess.run(
        [*words, *where], capture_output=True, text=True, timeout=100, check=False
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begun


@pytest.mark.long
def test_while_another_process_locks_the_database_sessions_are_refused_at_once(
    served: Installation, holder: subprocess.Popen[bytes]
) -> None:
    until(is_told(served, "database cannot be read or written"))
    for _ in range(3):
        code, text, seconds = status(served)
        assert code != 0
        assert "The server's database does not answer: try again in a minute." in text
        assert seconds < 4.5  # less than one look or one transaction waits for the lock
    begun = time.monotonic()
    assert ask(served, "GET", "/login")[0] == 200
    assert time.monotonic() - begun < 4.5
    holder.communicate()
    until(is_well(served), seconds=10)
    code, text, _ = status(served)
    assert (code, "laptop" in text) == (0, True)
    assert create(served, "three").returncode == 0
    assert "The database fails" in served.hive("notification", "list")


@pytest.mark.long
@pytest.mark.parametrize(
    "installation", [{"hive.app._RECHECK_SECONDS": 2.0}], indirect=True, ids=["looking often"]
)
def test_a_session_that_runs_while_the_database_is_locked_is_recorded_in_the_end(
    served: Installation,
) -> None:
    source = served.directory / "large"
    source.mkdir()
    (source / "file").write_bytes(os.urandom(30_000_000))
    url = served.json("repo", "show", "laptop")["url"]
    running = served.start_borg(
        "create", "--upload-ratelimit", "3000", f"{url}::slow", ".", cwd=source
    )
    until(lambda: bool(served.json("session", "list", "--live")))
    with closing(sqlite3.connect(served.data / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(is_told(served, "database cannot be read or written"))
        assert running.wait(timeout=60) == 0
        other.execute("ROLLBACK")
    until(is_well(served))
    until(lambda: served.json("session", "list", "--live") == [])
    newest = served.json("session", "list", "--limit", "1")[0]
    assert (newest["operation"], newest["exit_status"]) == ("create", 0)
