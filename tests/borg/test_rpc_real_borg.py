"""Stock borg clients against borg serve behind the filter."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.programs import CHECKOUT, borg_command

URL = "ssh://abcd1234@hive.example/./alpha"
OTHER_URL = "ssh://efgh5678@hive.example/./beta"


class Client:
    """A borg client of one release, its repository `alpha`, and the server it talks to."""

    def __init__(self, borg: str, directory: Path) -> None:
        self.borg = borg
        self.directory = directory
        self.repository = directory / "store" / "alpha"
        self.repository.mkdir(parents=True)
        self.source = directory / "source"
        self.source.mkdir()
        (self.source / "file").write_bytes(b"something worth keeping" * 10_000)

    def run(
        self, *arguments: str, writable: bool = True, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        environment = self._environment(writable=writable)
        return subprocess.run(
            [self.borg, *arguments],
            env=environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *arguments: str, writable: bool = True) -> str:
        done = self.run(*arguments, writable=writable)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def record(self) -> dict[str, object]:
        content: dict[str, object] = json.loads((self.directory / "record").read_text())
        return content

    def tree(self) -> dict[str, bytes]:
        """Return the content of every file of the repository, locks left out."""
        return {
            str(path.relative_to(self.repository)): path.read_bytes()
            for path in sorted(self.repository.rglob("*"))
            if path.is_file() and not path.relative_to(self.repository).parts[0].startswith("lock")
        }

    def _environment(self, *, writable: bool) -> dict[str, str]:
        policy = {
            "name": "alpha",
            "path": str(self.repository),
            "writable": writable,
            "other_repositories": {"beta": OTHER_URL, "gamma": None, "alpha": URL},
            "url": URL,
        }
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            "PYTHONPATH": str(CHECKOUT),
            "BORG_RSH": shlex.join([sys.executable, str(CHECKOUT / "tests/borg/bridge.py")]),
            "BORG_BASE_DIR": str(self.directory / "base"),
            "BORG_PASSPHRASE": "a passphrase",
            "BORG_NEW_PASSPHRASE": "a passphrase",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BRIDGE_POLICY": json.dumps(policy),
            "BRIDGE_BORG": self.borg,
            "BRIDGE_RECORD": str(self.directory / "record"),
        }


@pytest.fixture(scope="module", params=["1.2", "1.4"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    client = Client(borg_command(request.param), tmp_path_factory.mktemp("client"))
    client.ok("init", "--encryption=repokey", URL)
    client.ok("create", f"{URL}::first", "source")
    client.ok("create", f"{URL}::latest", "source")
    return client


def test_a_read_only_key_reads_and_changes_nothing(client: Client) -> None:
    before = client.tree()
    assert "first" in client.ok("list", URL, writable=False)
    assert "first" in client.ok("info", f"{URL}::first", writable=False)
    target = client.directory / "source" / "file"
    kept = target.read_bytes()
    target.unlink()
    client.ok("extract", f"{URL}::first", writable=False)
    assert target.read_bytes() == kept
    checked = client.run("check", "--verbose", URL, writable=False)
    assert checked.returncode == 0
    assert "no problems found" in checked.stderr
    client.ok("check", "--archives-only", URL, writable=False)
    # borg writes `config` anew at the start and the end of a check, with the same content.
    assert client.tree() == before


@pytest.mark.parametrize(
    "command",
    [
        f"create {URL}::second source",
        f"delete {URL}::first",
        f"delete {URL}",
        f"prune --keep-last=1 {URL}",
        f"compact {URL}",
        f"break-lock {URL}",
        f"key change-passphrase {URL}",
        f"init --encryption=repokey {URL}",
        f"check --repair {URL}",
        f"check --repository-only --max-duration=1 {URL}",
        f"recreate --comment=x {URL}::first",
        f"rename {URL}::first other",
        f"check --repair --archives-only {URL}::first",
        f"list --bypass-lock {URL}",
    ],
    ids=lambda command: command.replace(URL, ""),
)
def test_a_read_only_key_cannot(client: Client, command: str) -> None:
    before = client.tree()
    done = client.run(*command.split(), writable=False)
    assert client.tree() == before
    assert "Repository alpha is read-only for this key" in done.stderr
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_any_path_is_the_repository(client: Client) -> None:
    paths = [
        "ssh://h.example/./alpha",
        "ssh://h.example/~/alpha",
        "ssh://h.example/any/where/alpha",
        "h.example:alpha",
        "ssh://h.example/./",
    ]
    with ThreadPoolExecutor(2) as pool:
        for listed in pool.map(lambda path: client.ok("list", path), paths):
            assert "first" in listed
    record = client.record()
    assert str(record["client_version"]).startswith("1.")
    assert record["opened"]
    assert not record["create"]
    assert record["requested_path"] in {"/./alpha", "/~/alpha", "/any/where/alpha", "alpha", "/./"}


@pytest.mark.parametrize("writable", [True, False])
def test_the_path_of_another_repository_is_refused_with_its_url(
    client: Client, writable: bool
) -> None:
    done = client.run("list", "ssh://h.example/srv/beta/", writable=writable)
    assert done.returncode != 0
    assert f"use {OTHER_URL}" in done.stderr
    assert "Traceback" not in done.stderr
    assert client.record()["refused_methods"] == ["open"]
