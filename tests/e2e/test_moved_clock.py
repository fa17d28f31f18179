"""The clock of a real server is set under it: nothing is lost, and it goes on when that is over."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.asking import (
    create,
    doctor,
    is_told,
    is_well,
    login,
    notifications,
    notify_administrator,
    until,
)
from tests.e2e.installation import QUICK, Installation
from tests.e2e.receiver import Receiver

COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
DAY = timedelta(days=1)


class Moved(Installation):
    """An installation whose server and commands see clocks that a test sets."""

    is_synchronised = False  # as the kernel says

    def prepare(self) -> None:
        source = Path(__file__).with_name("moved_clock.c")
        library = self.directory / "moved_clock.so"
        words = [COMPILER or "", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(words, check=True)
        self.set()
        self.environment["LD_PRELOAD"] = str(library)
        self.environment["MOVED_CLOCK"] = str(self.directory / "offsets")

    def set(self, ahead: timedelta = timedelta(0), passed: timedelta = timedelta(0)) -> None:
        """Set the clock ahead or back, and let so much time pass on both clocks."""
        wall, elapsed = (int(one.total_seconds()) for one in (ahead + passed, passed))
        offsets = struct.pack("qqq", wall, elapsed, self.is_synchronised)
        path = self.directory / "offsets"
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(offsets)

    def run_job(self, name: str) -> subprocess.CompletedProcess[str]:
        return self.try_hive("job", "run", name)

    def repository(self, name: str) -> dict[str, str | None]:
        shown: dict[str, str | None] = self.json("repo", "show", name)
        return shown


@pytest.fixture
def moved(tmp_path: Path, receiver: Receiver) -> Iterator[Moved]:
    """A server with alice's `laptop`, which is expected daily, and `photos` in the trash."""
    made = Moved(tmp_path, paces=QUICK)
    made.prepare()
    try:
        made.start(expect_setup=True)
        made.client_environment()
        notify_administrator(made, receiver.url)
        made.hive_all(
            ["location", "set", "default", "--host", "127.0.0.1"],
            ["user", "add", "alice"],
            ["key", "add", "laptop", "--owner", "alice", tmp_path / "id.pub"],
            ["repo", "add", "laptop", "--owner", "alice", "--key", "laptop", "--every", "1d"],
            ["repo", "add", "photos", "--owner", "alice", "--key", "laptop"],
        )
        for name in ("laptop", "photos"):
            made.borg("init", "-e", "none", made.repository(name)["url"] or "")
        made.hive("repo", "delete", "photos", "--yes")
        login(made)
        assert create(made, "one").returncode == 0
        until(is_well(made))
        yield made
    finally:
        made.close()


def last_backup(moved: Moved) -> datetime:
    shown = moved.repository("laptop")["last_backup_at"]
    assert shown is not None
    return datetime.fromisoformat(shown)


@pytest.mark.long
@pytest.mark.parametrize("jump", [40 * DAY, 400 * DAY])
def test_a_clock_that_jumps_ahead_and_comes_back(moved: Moved, jump: timedelta) -> None:
    moved.set(jump)
    until(is_told(moved, "The clock jumped ahead"))
    assert "The clock jumped" in moved.run_job("empty-the-trash").stderr
    moved.run_job("look-at-schedules")
    assert create(moved, "two").returncode == 0
    assert "hive clock confirm" in doctor(moved)
    shown = moved.repository("laptop")
    assert (shown["health"], shown["health_reason"]) == ("unknown", "Clock jumped")
    assert notifications(moved) == ["The server's clock jumped"]
    moved.set()
    until(is_well(moved))
    assert last_backup(moved) <= datetime.now(UTC)
    moved.hive("job", "run", "look-at-schedules")
    assert moved.repository("laptop")["health"] == "fine"
    moved.hive("repo", "restore", "photos")
    assert notifications(moved) == ["Over: The server's clock jumped", "The server's clock jumped"]


@pytest.mark.long
@pytest.mark.parametrize(("is_synchronised", "early", "enough"), [(False, 30, 62), (True, 5, 12)])
def test_after_the_new_time_is_confirmed_all_goes_on(
    moved: Moved, is_synchronised: bool, early: int, enough: int
) -> None:
    moved.is_synchronised = is_synchronised
    moved.set(40 * DAY)
    until(is_told(moved, "The clock jumped ahead by 40d"))
    moved.run_job("empty-the-trash")
    moved.set(40 * DAY, passed=timedelta(minutes=early))
    assert moved.run_job("empty-the-trash").returncode == 1
    moved.set(40 * DAY, passed=timedelta(minutes=enough))
    until(is_well(moved))
    moved.hive("job", "run", "look-at-schedules")
    assert moved.repository("laptop")["health"] == "down"
    # the server may be at it just now
    until(lambda: moved.run_job("empty-the-trash").returncode == 0)
    assert moved.try_hive("repo", "restore", "photos").returncode == 1


@pytest.mark.long
def test_an_administrator_confirms_the_time(moved: Moved) -> None:
    moved.set(40 * DAY)
    until(is_told(moved, "The clock jumped ahead by 40d"))
    moved.hive("clock", "confirm")
    until(is_well(moved))
    assert moved.json("clock", "show")["trusted"] is True
    assert create(moved, "two").returncode == 0
    assert abs(last_backup(moved) - datetime.now(UTC) - 40 * DAY) < timedelta(minutes=5)


@pytest.mark.long
def test_a_clock_that_went_back_stops_no_job_for_years(moved: Moved) -> None:
    moved.set(-300 * DAY)
    until(is_told(moved, "The clock "))
    moved.set(-300 * DAY, passed=timedelta(minutes=62))
    now = datetime.now(UTC) - 299 * DAY
    if now.year >= 2026:
        until(is_well(moved))

    def are_due_soon() -> bool:
        rows = moved.json("job", "list")
        return all(datetime.fromisoformat(row["next_at"]) < now + 2 * DAY for row in rows)

    until(are_due_soon)


@pytest.mark.long
@pytest.mark.parametrize("jump", [40 * DAY, -2 * DAY])
def test_a_clock_that_was_set_while_the_server_was_off(moved: Moved, jump: timedelta) -> None:
    assert moved.stop() == 0
    moved.set(jump)
    assert moved.run_job("empty-the-trash").returncode == 1
    moved.start()
    until(is_told(moved, "The clock jumped"))
    assert moved.run_job("empty-the-trash").returncode == 1
    moved.set()
    until(is_well(moved))
    moved.hive("repo", "restore", "photos")
