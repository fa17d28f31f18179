"""The storage goes away under a running server, and comes back; real borg, real mounts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hive.services.installation import marker
from tests.e2e.installation import Installation
from tests.e2e.test_full_disk import Server, until
from tests.full_disks import may_mount, small_disk

pytestmark = pytest.mark.skipif(not may_mount(), reason="a tmpfs cannot be mounted here")

REFUSED = "The storage of location vault is not available"


class Vault:
    """A server with two repositories of alice's on a disk of their own, mounted at `root`."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.installation = Installation(directory)
        self.root = root
        self.server = Server(self.installation)
        self.urls: dict[str, str] = {}

    def begin(self) -> None:
        one = self.installation
        one.start(expect_setup=True)
        one.client_environment()
        names = ("laptop", "phone")
        words = ("--owner", "alice", "--key", "laptop", "--location", "vault", "--every", "1d")
        *_, laptop, phone = one.hive_all(
            ["user", "add", "admin", "--admin"],
            ["user", "add", "alice"],
            ["key", "add", "laptop", "--owner", "alice", one.directory / "id.pub"],
            ["location", "add", "vault", "--host", "127.0.0.1", "--root", self.root],
            *(["repo", "add", name, *words] for name in names),
            *(["repo", "show", name, "--json"] for name in names),
        )
        for name, shown in zip(names, (laptop, phone), strict=True):
            self.urls[name] = json.loads(shown)["url"]
            one.borg("init", "-e", "none", self.urls[name])
            self.create(name, "zero")

    def shown(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.installation.json("repo", "show", name)
        return found

    def create(self, name: str, archive: str, *, status: int = 0) -> str:
        source = self.installation.directory / "source"
        source.mkdir(exist_ok=True)
        (source / "file").write_bytes(archive.encode() * 1000)
        url = f"{self.urls[name]}::{archive}"
        return self.installation.borg("create", url, ".", cwd=source, status=status)

    def archives(self, name: str) -> set[str]:
        return set(self.installation.borg("list", "--short", self.urls[name]).split())

    def location(self) -> dict[str, Any]:
        found = self.installation.json("location", "list")
        return next(one for one in found if one["name"] == "vault")

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.installation.json("event", "list")]

    def repositories_of(self, kind: str) -> set[str]:
        events = self.installation.json("event", "list")
        return {one["repository"] for one in events if one["kind"] == kind}

    def is_away(self) -> bool:
        return self.server.health()[0] == 503

    def is_back(self) -> bool:
        return self.server.health() == (200, "ok")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A directory that is on a disk of its own, which is kept when that is not mounted at root."""
    return tmp_path / "disk"


@pytest.fixture
def vault(tmp_path: Path, disk: Path) -> Iterator[Vault]:
    root = tmp_path / "vault"
    root.mkdir(mode=0o755)
    with ExitStack() as stack:
        stack.enter_context(small_disk(disk, 60))
        mount(disk, root)
        made = Vault(tmp_path, root)
        stack.callback(lambda: unmount(root, may_fail=True))
        stack.callback(made.installation.close)
        made.begin()
        yield made


def mount(disk: Path, root: Path) -> None:
    subprocess.run(["/usr/bin/mount", "--bind", disk, root], check=True)


def unmount(root: Path, *, may_fail: bool = False) -> None:
    subprocess.run(["/usr/bin/umount", root], check=not may_fail, capture_output=True)


def remount(path: Path, mode: str) -> None:
    subprocess.run(["/usr/bin/mount", "-o", f"remount,{mode}", path], check=True)


@pytest.mark.long
def test_storage_that_is_unmounted_under_the_server_costs_sessions_and_nothing_else(
    vault: Vault, disk: Path
) -> None:
    before = vault.shown("laptop")
    kinds = vault.kinds()
    unmount(vault.root)
    until(vault.is_away)
    _, words = vault.server.health()
    assert REFUSED in words
    assert str(vault.root) not in words
    # sessions are refused in words, and nothing is made below the root
    output = vault.create("laptop", "one", status=2)
    assert REFUSED in output
    assert "its marker file is missing" in output
    assert REFUSED in vault.installation.borg("init", "-e", "none", before["url"], status=2)
    assert list(vault.root.iterdir()) == []
    # doctor, the list of locations and the repository say so; what is known stays
    doctor = vault.installation.try_hive("doctor")
    assert doctor.returncode == 1
    assert REFUSED in doctor.stdout
    assert "hive location adopt vault" in doctor.stdout
    assert "probably not mounted" in vault.location()["problem"]
    shown = vault.shown("laptop")
    for name in ("state", "last_backup_at", "size_bytes"):
        assert shown[name] == before[name]
    assert (before["health"], shown["health"]) == ("fine", "unknown")
    assert shown["health_reason"] == "Storage unavailable"
    # the server's own work leaves it alone
    for job in ("empty-the-trash", "measure-the-repositories", "watch-the-disks"):
        vault.installation.hive("job", "run", job)
    for words_of in (("check", "laptop"), ("compact", "laptop"), ("delete", "laptop", "--yes")):
        refused = vault.installation.try_hive("repo", *words_of)
        assert (refused.returncode, REFUSED in refused.stderr) == (1, True), refused
    assert list(vault.root.iterdir()) == []
    new = set(vault.kinds()) - set(kinds)
    assert new <= {"refused"}, new
    # it is back: everything is as before
    mount(disk, vault.root)
    until(vault.is_back)
    vault.create("laptop", "one")
    assert vault.archives("laptop") == {"zero", "one"}
    assert vault.archives("phone") == {"zero"}
    assert vault.location()["problem"] is None
    assert vault.shown("laptop")["health"] == "fine"
    assert set(vault.kinds()) - set(kinds) <= {"refused"}
    assert REFUSED not in vault.installation.try_hive("doctor").stdout


@pytest.mark.long
def test_a_server_that_starts_without_the_storage_waits_for_it(vault: Vault, disk: Path) -> None:
    kinds = vault.kinds()
    vault.installation.stop()
    unmount(vault.root)
    vault.installation.start()
    assert vault.is_away()
    assert REFUSED in vault.create("laptop", "one", status=2)
    assert list(vault.root.iterdir()) == []
    mount(disk, vault.root)
    until(vault.is_back)
    vault.create("laptop", "one")
    assert set(vault.kinds()) - set(kinds) <= {"refused"}


@pytest.mark.long
def test_storage_that_became_read_only_takes_no_session(vault: Vault, disk: Path) -> None:
    remount(disk, "ro")
    until(vault.is_away)
    assert "it is read-only" in vault.create("laptop", "one", status=2)
    assert "it is read-only" in vault.location()["problem"]
    remount(disk, "rw")
    until(vault.is_back)
    vault.create("laptop", "one")


@pytest.mark.long
def test_storage_of_another_installation_is_left_alone_until_it_is_taken_over(
    vault: Vault,
) -> None:
    path = vault.root / marker.NAME
    mine = json.loads(path.read_text())
    path.write_text(json.dumps({**mine, "installation": "another"}))
    until(vault.is_away)
    assert "names another installation" in vault.create("laptop", "one", status=2)
    refused = vault.installation.try_hive("location", "adopt", "vault")
    assert refused.returncode == 1
    assert "take-over" in refused.stderr
    refused = vault.installation.try_hive("location", "take-over", "vault")
    assert refused.returncode == 2
    assert "destroy" in refused.stderr
    assert json.loads(path.read_text())["installation"] == "another"
    vault.installation.hive("location", "take-over", "vault", "--yes")
    until(vault.is_back)
    assert json.loads(path.read_text())["installation"] == mine["installation"]
    vault.create("laptop", "one")


@pytest.mark.long
def test_content_that_vanished_is_not_created_again_until_somebody_confirms(vault: Vault) -> None:
    url = vault.urls["laptop"]
    shutil.rmtree(vault.shown("laptop")["path"])
    until(lambda: "content gone" in vault.kinds())
    output = vault.installation.borg("init", "-e", "none", url, status=2)
    assert "is gone from the server's disk" in output
    assert "hive repo set --confirm-empty" in output
    assert vault.archives("phone") == {"zero"}
    vault.installation.hive("repo", "set", "laptop", "--confirm-empty")
    vault.installation.borg("init", "-e", "none", url)
    vault.create("laptop", "one")
    assert vault.archives("laptop") == {"one"}
    # what a client deletes itself, it may create again
    vault.installation.borg("delete", url, BORG_DELETE_I_KNOW_WHAT_I_AM_DOING="YES")
    vault.installation.borg("init", "-e", "none", url)


@pytest.mark.long
def test_a_new_disk_is_used_once_it_is_adopted(vault: Vault) -> None:
    unmount(vault.root)
    until(vault.is_away)
    vault.installation.hive("location", "adopt", "vault")
    until(vault.is_back)
    until(lambda: vault.repositories_of("content gone") == {"laptop", "phone"})
    output = vault.installation.borg("init", "-e", "none", vault.urls["phone"], status=2)
    assert "is gone from the server's disk" in output
