from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from hive.config.settings import Settings
from hive.errors import StorageError
from hive.process import confine
from hive.process.ownership import chown_tree
from hive.process.spec import RunAs
from hive.services.checks import Check
from hive.services.programs import confinement, discovery
from hive.services.programs.confinement import Wishes, assess
from hive.services.programs.discovery import Program, Programs
from tests import ordinary

NOBODY = RunAs(65534, 65534)
needs_mounts = pytest.mark.skipif(not ordinary.has_mounts(), reason="no mount namespaces here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


ALL_WISHES = Wishes("nobody")
WITHOUT_MOUNTS = Wishes("nobody", mounts=False)


def findings_of(wishes: Wishes, subject: str) -> list[Check]:
    assessment = assess(wishes, roots=[])
    return [finding for finding in assessment.findings if finding.subject == subject]


@pytest.mark.parametrize(
    ("abi", "landlock", "level", "words"),
    [
        (0, False, "warning", "Programs are not confined to their files"),
        (1, True, "warning", "can empty files"),
        (2, True, "warning", "can empty files"),
        (3, True, "ok", "Landlock (version 3)"),
        (9, True, "ok", "Landlock (version 9)"),
    ],
)
def test_landlock_alone_is_named_and_warned_of_where_it_lacks_something(
    monkeypatch: pytest.MonkeyPatch, abi: int, landlock: bool, level: str, words: str
) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: abi)
    assert assess(WITHOUT_MOUNTS, roots=[]).landlock == landlock
    [finding] = findings_of(WITHOUT_MOUNTS, "Confinement")
    assert (finding.level, words in finding.message) == (level, True)
    assert (finding.remedy is None) == (level == "ok")


@needs_mounts
@pytest.mark.parametrize("abi", [0, 1, 2])
def test_mounts_take_the_place_of_a_missing_or_old_landlock_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, abi: int
) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: abi)
    assert assess(ALL_WISHES, roots=[]).confinement.mounts
    [finding] = findings_of(ALL_WISHES, "Confinement")
    assert finding.level == "ok"
    assert "a separate file system" in finding.message


def test_landlock_can_be_switched_off() -> None:
    assert not assess(Wishes("nobody", landlock=False), roots=[]).landlock


def test_a_missing_libseccomp_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "open_seccomp", lambda: None)
    assert not assess(ALL_WISHES, roots=[]).confinement.system_calls
    [finding] = findings_of(ALL_WISHES, "System calls")
    assert finding.level == "warning"


def test_an_old_rsync_is_a_warning_only_where_nothing_holds_it() -> None:
    old = Programs(borg=None, borg2=None, rsync=Program("/usr/bin/rsync", (3, 2, 7)))
    held = discovery.findings(old, Settings(), is_held=True)[-1]
    loose = discovery.findings(old, Settings(), is_held=False)[-1]
    assert (held.subject, held.level, loose.level) == ("rsync", "ok", "warning")
    assert "IMPORT and EXPORT refuse all clients" in loose.message


def test_an_ordinary_user_stays_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assessment = assess(Wishes("root"), roots=[Path("/nowhere")])
    assert (assessment.run_as, assessment.refusal) == (None, None)
    assert assessment.findings[-1].level == "ok"
    assert "nobody" in assessment.findings[-1].message


@needs_root
@pytest.mark.parametrize("wishes", [ALL_WISHES, WITHOUT_MOUNTS], ids=["all", "without mounts"])
def test_root_runs_programs_as_a_user_who_reaches_the_storage(
    open_place: Path, wishes: Wishes
) -> None:
    assessment = assess(wishes, roots=[open_place], programs=["/usr/bin/env"])
    assert assessment.run_as is not None
    assert assessment.run_as.uid == NOBODY.uid
    assert assessment.refusal is None


@needs_root
def test_the_directory_that_blocks_is_named_and_nothing_runs(open_place: Path) -> None:
    storage = open_place / "private" / "deep" / "storage"
    storage.mkdir(parents=True)
    (open_place / "private").chmod(0o700)
    assessment = assess(WITHOUT_MOUNTS, roots=[open_place, storage])
    assert assessment.run_as is None
    assert assessment.refusal is not None
    assert f"cannot pass {open_place}/private to reach {storage}" in assessment.refusal
    assert "--data-dir" in assessment.refusal
    assert f"chmod o+x {open_place}/private" in assessment.refusal


@needs_root
@needs_mounts
def test_mounts_reach_into_private_directories(open_place: Path) -> None:
    storage = open_place / "private" / "storage"
    storage.mkdir(parents=True)
    program = open_place / "private" / "true"
    shutil.copy("/bin/true", program)
    (open_place / "private").chmod(0o700)
    assessment = assess(ALL_WISHES, roots=[storage], programs=[str(program)])
    assert (assessment.refusal, assessment.run_as) == (None, NOBODY)


@needs_root
@pytest.mark.parametrize("wishes", [ALL_WISHES, WITHOUT_MOUNTS], ids=["all", "without mounts"])
def test_a_program_out_of_reach_is_named(open_place: Path, wishes: Wishes) -> None:
    program = open_place / "private" / "borg"
    program.parent.mkdir(mode=0o700)
    shutil.copy("/bin/true", program)
    program.chmod(0o700)
    assessment = assess(wishes, roots=[open_place], programs=[str(program)])
    assert assessment.run_as is None
    assert assessment.refusal is not None
    assert f"to run {program}" in assessment.refusal


@needs_root
@pytest.mark.parametrize(("user", "words"), [("no-such-user", "no user"), ("root", "is root")])
def test_a_user_that_cannot_serve_means_that_nothing_runs(user: str, words: str) -> None:
    assessment = assess(Wishes(user), roots=[])
    assert assessment.run_as is None
    assert assessment.refusal is not None
    assert words in assessment.refusal
    allowed = assess(Wishes(user, allow_root=True), roots=[])
    assert (allowed.refusal, allowed.confinement.allow_root) == (None, True)
    assert allowed.findings[-1].level == "warning"


@needs_root
def test_a_storage_root_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assessment = assess(ALL_WISHES, roots=[tmp_path / "missing"])
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
