"""Small files are there as a whole or not at all."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hive import files


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file grows beyond `room` bytes: as where a disk is full, with an error of the system."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_is_private_and_no_old_one_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    files.create(path, b"one")
    with pytest.raises(FileExistsError):
        files.create(path, b"two")
    assert (path.read_bytes(), mode_of(path)) == (b"one", 0o600)


def test_another_file_takes_its_place_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "state"
    files.replace(path, b"one")
    with path.open("rb") as reading:
        files.replace(path, b"two", mode=0o644)
        assert reading.read() == b"one"
    assert (path.read_bytes(), mode_of(path)) == (b"two", 0o644)
    assert names_in(tmp_path) == ["state"]


def test_on_a_full_disk_the_former_file_stays_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    files.replace(path, b"one")
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        files.replace(path, b"x" * 5000)
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        files.create(tmp_path / "new", b"x" * 5000)
    assert path.read_bytes() == b"one"
    assert names_in(tmp_path) == ["state"]


def test_where_writing_is_given_up_the_former_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "state"
    files.replace(path, b"one")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as file:
        file.write(b"x" * (1 // 0))
    assert path.read_bytes() == b"one"
    assert names_in(tmp_path) == ["state"]


def test_a_directory_in_its_place_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(tmp_path / "state", b"one")
    assert names_in(tmp_path) == ["state"]


def test_what_a_crash_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path, through = tmp_path / "inner" / "config", tmp_path / ".config-new"
    through.write_bytes(b"half of an earl")
    with files.replacing(path, through=through) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert names_in(tmp_path) == ["inner"]


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "key").symlink_to(elsewhere)
    with pytest.raises(OSError, match="exists"):
        files.create(tmp_path / "key", b"one")
    assert not elsewhere.exists()
