"""Reading borg's segments: as the real borg writes them, and as nobody should."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hive.borg.repository import objects_in_index
from hive.borg.segments import (
    MAX_ENTRY,
    Log,
    SegmentError,
    Tag,
    last_commit,
)
from tests.borg.logs import COMMIT, Local, entry, make_local, write_segment

KEY = b"k" * 32


@pytest.fixture(scope="module", params=["1.2", "1.4"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Local:
    return make_local(tmp_path_factory.mktemp("local"), request.param)


@pytest.fixture
def handmade(made: Local, tmp_path: Path) -> Path:
    """A repository with the config of a real one, and no segments."""
    path = tmp_path / "handmade"
    (path / "data" / "0").mkdir(parents=True)
    shutil.copy(made.repository / "config", path)
    return path


def test_every_entry_of_a_real_repository_holds_its_checksum(made: Local) -> None:
    with Log(made.repository) as log:
        for segment in log.segments:
            entries = list(log.entries(segment.number, verify=True))
            assert sum(one.size for one in entries) + 8 == segment.size
            assert entries == list(log.entries(segment.number, verify=False))


def test_commits_and_objects_are_those_that_borg_counts(made: Local) -> None:
    transaction = last_commit(made.repository)
    assert (made.repository / f"index.{transaction}").exists()
    live: set[bytes] = set()
    with Log(made.repository) as log:
        for segment in log.segments:
            for one in log.entries(segment.number, verify=False):
                if one.tag is Tag.PUT:
                    live.add(one.key)
                elif one.tag is Tag.DELETE:
                    live.remove(one.key)
    assert transaction is not None
    assert objects_in_index(made.repository, transaction) == len(live)
    assert objects_in_index(made.repository, transaction + 1) is None


def test_a_flipped_bit_is_found_only_where_checksums_are_tested(handmade: Path) -> None:
    path = write_segment(handmade, 0, entry(Tag.PUT, KEY, b"object"), COMMIT)
    content = bytearray(path.read_bytes())
    content[8 + 41 + 2] ^= 1
    path.write_bytes(content)
    with Log(handmade) as log:
        assert len(list(log.entries(0, verify=False))) == 2
        with pytest.raises(SegmentError, match="checksum"):
            list(log.entries(0, verify=True))


def test_bytes_of_a_commit_inside_of_an_object_commit_nothing(handmade: Path) -> None:
    write_segment(handmade, 0, entry(Tag.PUT, KEY, b"x"), COMMIT)
    write_segment(handmade, 1, entry(Tag.PUT, KEY, b"x" + COMMIT))
    write_segment(handmade, 2, COMMIT, entry(Tag.PUT, KEY))
    assert last_commit(handmade) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begin"),
        (b"ATTICSEG" + COMMIT, "begin"),
        (b"BORG_SEG" + b"\0" * 5, "cut off"),
        (b"BORG_SEG" + b"\0" * 41, "not an entry"),  # a size of 0 would never end
        (b"BORG_SEG" + COMMIT[:-1] + b"\3", "not an entry"),  # a tag of borg 2
        (b"BORG_SEG" + entry(Tag.PUT, KEY, b"abc")[:-1], "cut off"),
        (b"BORG_SEG" + entry(Tag.PUT, KEY[:5]), "not an entry"),
        (b"BORG_SEG\0\0\0\0\xff\xff\xff\xff\0" + b"\0" * 100, "not an entry"),
    ],
)
def test_what_borg_never_writes_is_refused_in_words(
    handmade: Path, content: bytes, words: str
) -> None:
    (handmade / "data" / "0" / "7").write_bytes(content)
    with Log(handmade) as log, pytest.raises(SegmentError, match=rf"segment 7.*{words}"):
        list(log.entries(7, verify=False))


def test_an_entry_larger_than_borg_writes_is_not_read_into_memory(handmade: Path) -> None:
    path = handmade / "data" / "0" / "0"
    with path.open("wb") as file:
        size = (MAX_ENTRY + 1).to_bytes(4, "little")
        file.write(b"BORG_SEG\0\0\0\0" + size + b"\0" + KEY)
        file.truncate(MAX_ENTRY * 50)
    with Log(handmade) as log, pytest.raises(SegmentError, match="not an entry"):
        list(log.entries(0, verify=True))


@pytest.mark.parametrize("name", ["007", "5000", "99999999999999", "²"])
def test_names_that_borg_never_gives_are_refused(handmade: Path, name: str) -> None:
    (handmade / "data" / "0" / name).write_bytes(b"BORG_SEG" + COMMIT)
    with pytest.raises(SegmentError):
        Log(handmade)


def test_names_that_are_no_numbers_are_nothing_to_borg_and_to_us(handmade: Path) -> None:
    (handmade / "data" / "x").mkdir()
    (handmade / "data" / "0" / "1.tmp").touch()
    write_segment(handmade, 1, COMMIT)
    assert last_commit(handmade) == 1


def test_links_pipes_and_directories_are_never_followed(handmade: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"BORG_SEG" + COMMIT)
    segment = handmade / "data" / "0" / "3"
    segment.symlink_to(outside)
    with pytest.raises(SegmentError, match="not a regular file"):
        Log(handmade)
    segment.unlink()
    os.mkfifo(segment)
    with pytest.raises(SegmentError, match="not a regular file"):
        Log(handmade)
    segment.unlink()
    (handmade / "data" / "1").symlink_to(tmp_path)
    with pytest.raises(SegmentError, match="cannot be read"):
        Log(handmade)
    (handmade / "data" / "1").unlink()
    (handmade / "data").rename(tmp_path / "data")
    (handmade / "data").symlink_to(tmp_path / "data")
    with pytest.raises(SegmentError, match="cannot be read"):
        Log(handmade)
