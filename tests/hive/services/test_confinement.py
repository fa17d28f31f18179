from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hive import confine
from hive.child import RunAs
from hive.errors import StorageError
from hive.services.confinement import assess, chown_tree

NOBODY = RunAs(65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


@pytest.fixture
def open_place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="hive-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("abi", "landlock", "level", "words"),
    [
        (0, False, "warning", "without Landlock"),
        (1, True, "warning", "renaming between directories"),
        (2, True, "warning", "emptying files"),
        (3, True, "warning", "network"),
        (4, True, "ok", "version 4"),
        (9, True, "ok", "version 9"),
    ],
)
def test_each_landlock_version_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, abi: int, landlock: bool, level: str, words: str
) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: abi)
    assessment = assess(user="nobody", roots=[])
    finding = assessment.findings[0]
    assert (assessment.landlock, finding.level, words in finding.message) == (landlock, level, True)
    assert (finding.remedy is None) == (level == "ok")


def test_landlock_that_is_switched_off_is_a_warning() -> None:
    assessment = assess(user="nobody", roots=[], landlock_wanted=False)
    assert (assessment.landlock, assessment.findings[0].level) == (False, "warning")


def test_an_ordinary_user_stays_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assessment = assess(user="root", roots=[Path("/nowhere")])
    assert (assessment.run_as, assessment.findings[-1].level) == (None, "ok")
    assert "nobody" in assessment.findings[-1].message


@needs_root
def test_root_runs_programs_as_a_user_who_reaches_the_storage(open_place: Path) -> None:
    assessment = assess(user="nobody", roots=[open_place], programs=["/usr/bin/env"])
    assert assessment.run_as is not None
    assert assessment.run_as.uid == NOBODY.uid
    assert {finding.level for finding in assessment.findings if finding.subject == "User"} == {"ok"}


@needs_root
def test_the_directory_that_blocks_is_named(open_place: Path) -> None:
    storage = open_place / "private" / "deep" / "storage"
    storage.mkdir(parents=True)
    (open_place / "private").chmod(0o700)
    assessment = assess(user="nobody", roots=[open_place, storage])
    warning = assessment.findings[-1]
    assert assessment.run_as is None
    assert f"cannot pass {open_place}/private to reach {storage}" in warning.message
    assert warning.remedy == f"chmod o+x {open_place}/private"


@needs_root
def test_a_program_out_of_reach_is_named(open_place: Path) -> None:
    program = open_place / "private" / "borg"
    program.parent.mkdir(mode=0o700)
    shutil.copy("/bin/true", program)
    assessment = assess(user="nobody", roots=[open_place], programs=[str(program)])
    assert assessment.run_as is None
    assert f"{program.parent} to run {program}" in assessment.findings[-1].message


@needs_root
@pytest.mark.parametrize(("user", "words"), [("no-such-user", "no user"), ("root", "is root")])
def test_a_user_that_cannot_serve_leaves_root(user: str, words: str) -> None:
    assessment = assess(user=user, roots=[])
    assert (assessment.run_as, words in assessment.findings[-1].message) == (None, True)


@needs_root
def test_a_storage_root_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assessment = assess(user="nobody", roots=[tmp_path / "missing"])
    assert "error" in {finding.level for finding in assessment.findings}


@needs_root
def test_a_tree_is_given_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    tree = tmp_path / "tree"
    (tree / "data" / "0").mkdir(parents=True)
    (tree / "data" / "0" / "1").touch()
    (tree / "link").symlink_to(outside / "file")
    (tree / "directory").symlink_to(outside)
    assert chown_tree(tree, NOBODY) == 6
    assert chown_tree(tree, NOBODY) == 0
    assert {path.lstat().st_uid for path in (tree, *tree.rglob("*"))} == {NOBODY.uid}
    assert {path.stat().st_uid for path in (outside, *outside.rglob("*"))} == {0}


@needs_root
def test_a_file_with_a_second_name_is_not_given(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "harmless").hardlink_to(secret)
    with pytest.raises(StorageError, match="several names"):
        chown_tree(tmp_path / "tree", NOBODY)
    assert secret.stat().st_uid == 0


@needs_root
def test_devices_sockets_and_fifos_are_not_given(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(StorageError, match="neither a file"):
            chown_tree(tmp_path, NOBODY)
    (tmp_path / "socket").unlink()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StorageError, match="neither a file"):
        chown_tree(tmp_path, NOBODY)


def test_a_tree_that_never_ends_or_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(StorageError, match="cannot be given"):
        chown_tree(tmp_path / "link", NOBODY)
    (tmp_path / "/".join(["d"] * 70)).mkdir(parents=True)
    with pytest.raises(StorageError, match="deep"):
        chown_tree(tmp_path / "d", NOBODY)
