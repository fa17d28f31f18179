"""What two looks at a repository of borg 2 tell; those at one of borg 1 are tested with borg."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.borg.repository import snapshot


def make_borg2(path: Path) -> Path:
    for name in (
        "archives/aa",
        "cache/checked-packs",
        "config/id",
        "config/manifest",
        "index/aa",
        "keys/aa",
        "locks/aa",
        "packs/02/02aa",
        "packs/e4/e4aa",
    ):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    for directory in (path / "packs", *(path / "packs").iterdir()):
        os.utime(directory, ns=(1, 1))  # long ago: a change shows however coarse the clock is
    return path


def new(name: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).touch()

    return change


def gone(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).unlink()


def soft_deleted(path: Path) -> None:
    (path / "archives" / "aa").rename(path / "archives" / "aa.del")


@pytest.mark.parametrize(
    "change",
    [
        new("archives/bb"),
        gone("archives/aa"),
        soft_deleted,
        new("keys/bb"),
        new("packs/02/02bb"),
        new("packs/03/03bb"),
        gone("packs/e4/e4aa"),
        lambda path: (path / "config" / "manifest").write_text("another"),
    ],
)
def test_what_is_written_changes_the_state(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    repository = make_borg2(tmp_path / "repository")
    before = snapshot(repository)
    assert before == snapshot(repository)
    change(repository)
    after = snapshot(repository)
    assert after.is_created
    assert after.state != before.state


@pytest.mark.parametrize(
    "change",
    [new("locks/bb"), gone("locks/aa"), new("cache/bb"), new("index/bb"), gone("index/aa")],
)
def test_what_reading_leaves_behind_changes_nothing(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    repository = make_borg2(tmp_path / "repository")
    before = snapshot(repository)
    change(repository)
    assert snapshot(repository) == before


def test_an_empty_directory_is_no_repository(tmp_path: Path) -> None:
    assert not snapshot(tmp_path).is_created
    (tmp_path / "config").mkdir()
    assert snapshot(tmp_path).is_created
