"""Copying a directory that is in use."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from hive import tree_copy
from hive.errors import StorageError
from hive.meter import Meter
from hive.tree_copy import DifferentError, StoppedError, TreeCopy
from tests.factories import tree

OLD = time.time() - 3600


def make(path: Path, content: bytes, at: float = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "source"
    make(top / "config", b"[repository]\n")
    make(top / "data/0/1", os.urandom(3_000_000))
    make(top / "data/0/2", b"two")
    make(top / "lock.roster", b"{}")
    (top / "data/1").mkdir()
    return top


def copy_of(source: Path, meter: Meter | None = None) -> TreeCopy:
    target = source.parent / "target"
    return TreeCopy(source, target, meter or Meter(), besides=("lock.roster",))


def expected(source: Path) -> dict[str, bytes | None]:
    return {name: content for name, content in tree(source).items() if name != "lock.roster"}


def test_a_second_pass_copies_only_what_is_new_and_removes_what_is_gone(source: Path) -> None:
    meter = Meter()
    copy = copy_of(source, meter)
    first = copy.bring_up_to_date()
    assert (first.files, first.size) == (3, 3_000_016)
    reading = meter.look()
    assert reading is not None
    assert (reading.done, reading.total) == (3_000_016, 3_000_016)
    assert tree(source.parent / "target") == expected(source)
    assert copy.bring_up_to_date().files == 0
    make(source / "data/1/3", b"three")
    (source / "data/0/2").unlink()
    assert copy.bring_up_to_date().files == 1
    assert copy.require_same().files == 3
    copy.keep_safe()
    assert tree(source.parent / "target") == expected(source)


def test_what_was_written_a_moment_ago_is_copied_again(source: Path) -> None:
    copy = copy_of(source)
    hot = make(source / "data/0/9", b"before", time.time())
    copy.bring_up_to_date()
    at = hot.stat().st_mtime_ns
    hot.write_bytes(b"later!")  # of the same size, and the clock of the disk may not have moved
    os.utime(hot, ns=(at, at))
    with pytest.raises(DifferentError):
        copy.require_same()
    copy.bring_up_to_date(is_at_rest=True)
    copy.require_same()
    assert (source.parent / "target/data/0/9").read_bytes() == b"later!"


def test_a_copy_that_reads_back_wrong_never_gets_its_name(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_copy, "_checksum", lambda _: b"other")
    with pytest.raises(StorageError, match="reads back other"):
        copy_of(source).bring_up_to_date()
    assert not [path for path in (source.parent / "target").rglob("*") if path.name == "1"]


def test_a_half_written_file_of_a_crash_is_not_taken_for_one(source: Path) -> None:
    copy = copy_of(source)
    make(source.parent / "target/data/0/.moving-1", b"half")
    make(source.parent / "target/data/0/2", b"two", OLD + 1)
    copy.bring_up_to_date()
    copy.require_same()
    assert tree(source.parent / "target") == expected(source)


def test_links_and_pipes_are_refused(source: Path) -> None:
    (source / "data/0/7").symlink_to("/etc/shadow")
    with pytest.raises(StorageError, match="neither a file nor a directory"):
        copy_of(source).bring_up_to_date()


def test_a_copy_stops_soon_and_goes_on_where_it_was(source: Path) -> None:
    copy = copy_of(source)
    copy.stop()
    with pytest.raises(StoppedError):
        copy.bring_up_to_date()
    again = copy_of(source)
    again.bring_up_to_date()
    again.require_same()


def test_a_directory_that_changes_all_the_time_ends_up_the_same(source: Path) -> None:
    copy, stopped = copy_of(source), threading.Event()

    def write() -> None:
        number = 10
        while not stopped.is_set():
            number += 1
            make(source / f"data/0/{number}", os.urandom(2000), time.time())
            (source / f"data/0/{number - 5}").unlink(missing_ok=True)
            time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            copy.bring_up_to_date()
    finally:
        stopped.set()
        writer.join()
    copy.bring_up_to_date(is_at_rest=True)
    copy.require_same()
    assert tree(source.parent / "target") == expected(source)
