"""A repository moves to another location of a server that is killed meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.test_dead_servers import backup_under_way
from tests.e2e.test_full_disk import Server, until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(Installation(tmp_path))
    try:
        made.begin(has_ballast=False)
        yield made
    finally:
        made.installation.close()


def test_a_killed_server_goes_on_and_commands_wait_for_it(server: Server, tmp_path: Path) -> None:
    one = server.installation
    port = str(one.ssh_port)
    root = tmp_path / "attic"
    one.hive("location", "add", "attic", "--host", "127.0.0.1", "--port", port, "--root", str(root))
    copy = root / server.login / ".moving/data/0"

    def location() -> str:
        return str(one.json("repo", "show", "laptop")["location"])

    with backup_under_way(server, "cut off"):
        begun = one.hive("repo", "move", "laptop", "attic", "--no-wait")
        assert "on its way to attic: copying" in begun
        until(lambda: copy.is_dir() and any(copy.iterdir()))
        assert location() == "default"
        one.signal(signal.SIGKILL)
        one.wait()
    one.start()
    until(lambda: location() == "attic")
    shown = one.json("repo", "show", "laptop")
    assert (shown["url"], shown["path"]) == (server.url, str(root / server.login / "laptop"))
    until(lambda: not (server.root / server.login).exists())
    server.create("there", 100_000)
    back = one.hive("repo", "move", "laptop", "default")
    assert "laptop is at default now" in back
    server.create("here", 100_000)
    archives = one.borg("list", "--short", server.url).split()
    assert [name for name in archives if "cut off" not in name] == ["zero", "there", "here"]
    one.borg("check", "--verify-data", server.url)
