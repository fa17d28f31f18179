"""Stock borg clients against borg serve behind the filter."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hive.kinds import Access
from tests.programs import BORG_LINES, CHECKOUT, borg_command

URL = "ssh://abcd1234@hive.example/./alpha"


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
        self,
        *arguments: str,
        access: Access = Access.FULL,
        accepts_former: bool = False,
        timeout: float = 30,
    ) -> subprocess.CompletedProcess[str]:
        environment = self._environment(access, accepts_former=accepts_former)
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

    def ok(self, *arguments: str, access: Access = Access.FULL) -> str:
        done = self.run(*arguments, access=access)
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

    def _environment(self, access: Access, *, accepts_former: bool) -> dict[str, str]:
        policy = {
            "path": str(self.repository),
            "access": access,
            "url": URL,
            "accepts_former": accepts_former,
        }
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            "PYTHONPATH": str(CHECKOUT),
            "BORG_RSH": shlex.join([sys.executable, str(CHECKOUT / "tests/borg/bridge.py")]),
            "BORG_BASE_DIR": str(self.directory / "base"),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": "a passphrase",
            "BORG_NEW_PASSPHRASE": "a passphrase",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BRIDGE_POLICY": json.dumps(policy),
            "BRIDGE_BORG": self.borg,
            "BRIDGE_RECORD": str(self.directory / "record"),
        }


@pytest.fixture(scope="module", params=BORG_LINES)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    client = Client(borg_command(request.param), tmp_path_factory.mktemp("client"))
    client.ok("init", "--encryption=repokey", URL)
    client.ok("create", f"{URL}::first", "source")
    client.ok("create", f"{URL}::latest", "source")
    return client


@pytest.mark.long
def test_a_read_only_key_reads_and_changes_nothing(client: Client) -> None:
    before = client.tree()
    assert "first" in client.ok("list", URL, access=Access.READ_ONLY)
    assert "first" in client.ok("info", f"{URL}::first", access=Access.READ_ONLY)
    target = client.directory / "source" / "file"
    kept = target.read_bytes()
    target.unlink()
    client.ok("extract", f"{URL}::first", access=Access.READ_ONLY)
    assert target.read_bytes() == kept
    checked = client.run("check", "--verbose", URL, access=Access.READ_ONLY)
    assert checked.returncode == 0
    assert "no problems found" in checked.stderr
    client.ok("check", "--archives-only", URL, access=Access.READ_ONLY)
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
@pytest.mark.varied(8)
def test_a_read_only_key_cannot(client: Client, command: str) -> None:
    before = client.tree()
    done = client.run(*command.split(), access=Access.READ_ONLY)
    assert client.tree() == before
    assert "Repository alpha is read-only for this key" in done.stderr
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "ssh://h.example/./alpha",
        "ssh://h.example/~/alpha",
        "ssh://h.example/any/root/abcd1234/alpha",
        "h.example:alpha",
        "ssh://h.example/./Alpha",
    ],
)
@pytest.mark.varied(4)
def test_the_paths_of_the_repository_open_it(client: Client, path: str) -> None:
    assert "first" in client.ok("list", path)
    record = client.record()
    assert str(record["client_version"]).startswith("1.")
    assert record["opened"]
    assert record["former_path"] is None


OTHER_PATHS = [
    "ssh://h.example/./other",
    "ssh://h.example/srv/alpha",
    "ssh://h.example/./alpha/sub",
    "ssh://h.example/~/x/alpha/y",
    "h.example:docs",
]


@pytest.mark.parametrize(
    ("path", "access"),
    [
        *((path, Access.FULL) for path in OTHER_PATHS),  # the rule asks for the path alone
        *((OTHER_PATHS[0], access) for access in Access if access != Access.FULL),
    ],
)
@pytest.mark.varied(6)
def test_any_other_path_is_refused_in_words(client: Client, path: str, access: Access) -> None:
    done = client.run("list", path, access=access)
    assert done.returncode != 0
    assert f"One login holds one repository, here alpha: use {URL}." in done.stderr
    assert "Traceback" not in done.stderr
    assert client.record()["refused_methods"] == ["open"]


@pytest.mark.long
@pytest.mark.parametrize("path", OTHER_PATHS)
def test_no_other_path_deletes_or_creates_the_repository(client: Client, path: str) -> None:
    before = client.tree()
    for command in ("delete", "init --encryption=none"):
        for accepts_former in (False, True):
            done = client.run(*command.split(), path, accepts_former=accepts_former)
            assert done.returncode != 0, done.stderr
    assert client.tree() == before


def test_a_former_path_still_opens_an_old_repository_with_a_line_that_says_so(
    client: Client,
) -> None:
    done = client.run("list", "ssh://h.example/srv/backups", accepts_former=True)
    assert done.returncode == 0, done.stderr
    assert "first" in done.stdout
    assert done.stderr.count(f"will be refused some day: use {URL}") == 1
    assert client.record()["former_path"] == "/srv/backups"


@pytest.mark.parametrize("path", ["ssh://h.example/./alpha/sub", "ssh://h.example/srv/beta/"])
def test_a_former_path_never_meant_something_below_or_another_repository(
    client: Client, path: str
) -> None:
    done = client.run("list", path, accepts_former=True)
    assert done.returncode != 0
    assert f"use {URL}" in done.stderr


@pytest.mark.parametrize("access", [Access.APPEND_ONLY, Access.READ_ONLY])
@pytest.mark.parametrize("command", [f"key export {URL} out", f"break-lock {URL}"])
def test_what_needs_no_lock_needs_full_access(client: Client, command: str, access: Access) -> None:
    done = client.run(*command.split(), access=access)
    assert done.returncode != 0
    assert f"Repository alpha is {access} for this key" in done.stderr
    assert "key with full access" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_full_key_exports_and_imports_the_key_and_breaks_locks(client: Client) -> None:
    client.ok("key", "export", URL, "exported")
    before = (client.repository / "config").read_bytes()
    client.ok("key", "import", URL, "exported")
    assert (client.repository / "config").read_bytes().split() == before.split()
    client.ok("break-lock", URL)
    (client.repository / "lock.exclusive").mkdir()
    (client.repository / "lock.exclusive" / "elsewhere@1.4711-0").touch()
    done = client.run("list", "--bypass-lock", URL)
    assert "Run that if the lock is stale" in done.stderr
    client.ok("break-lock", URL)
    assert "first" in client.ok("list", URL)


def test_a_full_key_does_not_read_beside_the_lock(client: Client) -> None:
    done = client.run("list", "--bypass-lock", f"{URL}::first")
    assert done.returncode != 0
    assert "leave out --bypass-lock" in done.stderr


@pytest.mark.long
def test_an_append_only_key_backs_up_prunes_and_checks(client: Client) -> None:
    client.ok("create", f"{URL}::added", "source", access=Access.APPEND_ONLY)
    client.ok("check", URL, access=Access.APPEND_ONLY)
    client.ok("delete", f"{URL}::added", access=Access.APPEND_ONLY)
    client.ok("compact", URL, access=Access.APPEND_ONLY)
    assert "added" not in client.ok("list", URL)


@pytest.mark.parametrize(
    "command",
    [
        f"delete {URL}",
        f"key change-passphrase {URL}",
        f"init --encryption=repokey {URL}",
        f"check --repair {URL}",
        f"list --bypass-lock {URL}",
    ],
    ids=lambda command: command.replace(URL, ""),
)
def test_an_append_only_key_cannot(client: Client, command: str) -> None:
    before = client.tree()
    done = client.run(*command.split(), access=Access.APPEND_ONLY)
    assert client.tree() == before
    assert "Repository alpha is append-only for this key" in done.stderr
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", BORG_LINES)
def test_an_append_only_key_creates_what_is_not_there_yet(line: str, tmp_path: Path) -> None:
    client = Client(borg_command(line), tmp_path)
    client.ok("init", "--encryption=repokey-blake2", URL, access=Access.APPEND_ONLY)
    # a later machine with full access must be able to compact
    assert b"append_only = 0" in client.tree()["config"]
    client.ok("create", f"{URL}::first", "source", access=Access.APPEND_ONLY)
    assert "first" in client.ok("list", URL)


@pytest.mark.parametrize("line", BORG_LINES)
def test_a_read_only_key_creates_nothing(line: str, tmp_path: Path) -> None:
    client = Client(borg_command(line), tmp_path)
    done = client.run("init", "--encryption=repokey-blake2", URL, access=Access.READ_ONLY)
    assert done.returncode != 0
    assert "Repository alpha is read-only for this key: creating it is refused" in done.stderr
    assert client.tree() == {}
