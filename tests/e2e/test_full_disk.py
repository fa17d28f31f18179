"""A disk is filled to its last byte: what reads or makes room still works, new data is refused."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.installation import Installation
from tests.full_disks import MIB, fill, free_bytes, large_disk, may_mount, small_disk

pytestmark = pytest.mark.skipif(not may_mount(), reason="a tmpfs cannot be mounted here")
SECONDS = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; it fails the test if it does not in time."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Server:
    """An installation with a repository of alice's, and what a test asks of it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.url = self.login = ""
        self.root = Path()

    def begin(self, *, has_ballast: bool = True) -> None:
        """Start it with alice, her key, her repository `laptop` and an archive `zero`."""
        one = self.installation
        one.start(expect_setup=True)
        one.client_environment()
        one.hive_all(
            ["location", "set", "default", "--host", "127.0.0.1"],
            ["user", "add", "admin", "--admin"],
            ["user", "add", "alice"],
            ["key", "add", "laptop", "--owner", "alice", one.directory / "id.pub"],
            ["repo", "add", "laptop", "--owner", "alice", "--key", "laptop"],
        )
        shown = one.json("repo", "show", "laptop")
        self.url, self.login = shown["url"], shown["login"]
        self.root = Path(one.json("location", "list")[0]["root"])
        one.borg("init", "-e", "repokey-blake2", self.url)
        self.create("zero", 100_000)
        self.borg("compact")  # with fewer than ten segments to compact, borg wants little room
        self.look_at_disks()
        if has_ballast:
            assert self.ballast.stat().st_size > 0

    @property
    def data(self) -> Path:
        return self.installation.data

    @property
    def ballast(self) -> Path:
        return self.root / ".ballast"

    def create(self, name: str, size: int, *, status: int = 0) -> str:
        """Back up `size` random bytes as archive `name`."""
        source = self.installation.directory / f"source-{name}"
        source.mkdir(exist_ok=True)
        (source / "file").write_bytes(os.urandom(size))
        url = f"{self.url}::{name}"
        return self.installation.borg("create", "-C", "none", url, ".", cwd=source, status=status)

    def borg(self, *arguments: str, status: int = 0) -> str:
        last = arguments[-1]
        target = self.url + (last if last.startswith("::") else "")
        words = arguments[:-1] if last.startswith("::") else arguments
        return self.installation.borg(*words, target, status=status)

    def archives(self) -> set[str]:
        return set(self.borg("list", "--short").split())

    def extract(self, name: str) -> bytes:
        target = self.installation.directory / f"restored-{name}"
        target.mkdir(exist_ok=True)
        self.installation.borg("extract", f"{self.url}::{name}", cwd=target)
        return (target / "file").read_bytes()

    def status_command(self) -> str:
        words = self.installation.client_environment()["BORG_RSH"].split()
        port = str(self.installation.ssh_port)
        done = subprocess.run(
            [*words, "-p", port, f"{self.login}@127.0.0.1", "status"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def health(self) -> tuple[int, str]:
        """The answer of /healthz."""
        parts = urlsplit(self.installation.web_url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def last_session(self) -> dict[str, object]:
        sessions = self.installation.json("session", "list", "--limit", "1")
        found: dict[str, object] = sessions[0]
        return found

    def look_at_disks(self) -> None:
        self.installation.hive("job", "run", "watch-the-disks")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Data directory and repositories on one disk of 60 MB."""
    with small_disk(tmp_path / "hive", 60):
        installation = Installation(tmp_path, {"HIVE_STORAGE__BALLAST": "true"})
        made = Server(installation)
        try:
            made.begin()
            yield made
        finally:
            installation.close()


@pytest.mark.long
def test_a_disk_without_a_free_byte_costs_only_new_writes(server: Server) -> None:
    server.create("one", 20 * MIB)
    fill(server.data / "foreign")
    assert free_bytes(server.data) == 0
    assert "laptop" in server.status_command()
    assert server.archives() == {"zero", "one"}
    assert len(server.extract("one")) == 20 * MIB
    server.borg("check")
    output = server.create("two", 1 * MIB, status=2)
    assert "The server's disk is full" in output
    assert "Listing, restoring, deleting and compacting still work" in output
    until(lambda: server.last_session()["ended_at"] is not None)
    assert server.last_session()["end_reason"] == "disk full"
    server.borg("delete", "::one")
    assert server.archives() == {"zero"}
    # A ballast that borg would be content with does not fit on a disk this small.
    output = server.borg("compact", status=2)
    assert "Insufficient free space to complete transaction (required: 545" in output
    (server.data / "foreign").unlink()
    server.borg("check")


@pytest.mark.long
def test_deleting_and_compacting_make_room_again(tmp_path: Path) -> None:
    with ExitStack() as stack:
        try:
            data = stack.enter_context(large_disk(tmp_path / "hive", 8))
        except OSError as error:
            pytest.skip(f"no loop device can be mounted here: {error}")
        installation = Installation(tmp_path, {"HIVE_STORAGE__BALLAST": "true"})
        stack.callback(installation.close)
        server = Server(installation)
        server.begin()
        for number in range(5):
            server.create(f"old{number}", 20 * MIB)
        installation.hive("job", "run", "estimate-what-compaction-needs")
        server.look_at_disks()
        wanted = server.ballast.stat().st_size
        assert 536 * MIB < wanted < 560 * MIB
        fill(data / "foreign")
        assert free_bytes(data) == 0
        assert len(server.archives()) == 6
        assert "The server's disk is full" in server.create("new", 1 * MIB, status=2)
        server.borg("prune", "--keep-last", "1")
        server.borg("compact")
        assert free_bytes(data) + server.ballast.stat().st_size > wanted + 75 * MIB
        assert server.ballast.stat().st_size == wanted
        server.borg("check")
        assert server.archives() == {"old4"}
        (data / "foreign").unlink()
        server.create("new", 20 * MIB)
        fill(data / "foreign")
        server.borg("delete", "::old4")
        assert "freed" in installation.hive("repo", "compact", "laptop")
        assert server.archives() == {"new"}
        server.borg("check")


@pytest.mark.long
def test_health_and_doctor_say_that_a_disk_is_full_and_the_log_before_it_is(
    server: Server,
) -> None:
    assert server.health() == (200, "ok")
    fill(server.data / "foreign", leave=9 * MIB)  # of 60 MB, a tenth is the reserve
    server.look_at_disks()
    assert server.health()[0] == 200
    assert "Below 6.29 MB, backups are refused." in server.installation.log
    fill(server.data / "foreign")
    status, words = server.health()
    assert status == 503
    assert "a disk of the server is full: " in words
    assert "kept in reserve, so no new data is accepted" in words
    server.look_at_disks()
    assert "Backups are refused; listing" in server.installation.log
    doctor = server.installation.try_hive("doctor").stdout
    assert "is full: " in doctor
    assert "No new data is accepted" in doctor
    (server.data / "foreign").unlink()
    server.look_at_disks()
    assert server.health() == (200, "ok")


@pytest.mark.long
def test_a_repository_can_be_deleted_on_a_disk_without_a_free_byte(server: Server) -> None:
    fill(server.data / "foreign")
    server.installation.hive("repo", "delete", "laptop", "--yes")
    assert not (server.root / server.login).exists()
    (server.data / "foreign").unlink()
    server.installation.hive("repo", "restore", server.login)
    assert server.archives() == {"zero"}


@pytest.mark.long
def test_a_session_that_meets_the_end_of_the_disk_is_closed_as_that(server: Server) -> None:
    output = server.create("huge", 70 * MIB, status=2)
    assert "No space left on device" in output or "disk is full" in output
    until(lambda: server.last_session()["ended_at"] is not None)
    assert server.last_session()["end_reason"] == "disk full"
    assert server.archives() == {"zero"}
    server.borg("check")
    server.borg("compact")
    server.create("small", 1 * MIB)
    server.borg("check")
    assert server.archives() == {"zero", "small"}


@pytest.mark.long
def test_a_full_storage_root_alone_costs_only_new_writes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "root", 60) as root:
        installation = Installation(
            tmp_path, {"HIVE_STORAGE__BALLAST": "true", "HIVE_STORAGE__ROOT": str(root)}
        )
        server = Server(installation)
        try:
            server.begin()
            fill(root / "foreign")
            assert server.archives() == {"zero"}
            assert len(server.extract("zero")) == 100_000
            assert "The server's disk is full" in server.create("one", 1 * MIB, status=2)
            assert server.health()[0] == 503
            (root / "foreign").unlink()
            server.create("two", 1 * MIB)
        finally:
            installation.close()


@pytest.mark.long
@pytest.mark.parametrize("ballast", ["true", "false"])
def test_a_full_data_directory_alone_costs_only_new_writes(tmp_path: Path, ballast: str) -> None:
    with small_disk(tmp_path / "hive", 60) as data:
        root = tmp_path / "root"
        installation = Installation(
            tmp_path, {"HIVE_STORAGE__BALLAST": ballast, "HIVE_STORAGE__ROOT": str(root)}
        )
        server = Server(installation)
        try:
            server.begin(has_ballast=ballast == "true")
            fill(data / "foreign")
            for _ in range(3):
                assert "laptop" in server.status_command()
                assert server.archives() == {"zero"}
            server.borg("check")
            assert "disk is full" in server.create("one", 1 * MIB, status=2)
            server.borg("delete", "::zero")
            server.borg("compact")
            assert ("cannot be recorded" in installation.log) == (ballast == "false")
            (data / "foreign").unlink()
            server.create("two", 1 * MIB)
            until(lambda: "two" in server.archives())
        finally:
            installation.close()
