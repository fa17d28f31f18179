"""What a killed borg left without a commit goes; what could belong to an archive never does."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from zlib import crc32

import pytest

from hive.borg.exclusive_lock import LockedError, exclusive_lock
from hive.borg.repository import last_transaction, last_written_at
from hive.borg.uncommitted import Ending, Removed, ending, last_commit, remove_uncommitted
from tests.programs import BORG_LINES, borg_command

OURS = "borg-hive-test@1"
COMMIT = bytes.fromhex("40f43c250900000002")


class Borg:
    """A borg and its repository, with one archive."""

    def __init__(self, line: str, base: Path) -> None:
        self.command = borg_command(line)
        self.base = base
        self.repository = base / "repository"
        self("init", "-e", "none", str(self.repository))
        (base / "file").write_bytes(os.urandom(2_000_000))
        self("create", "::one", str(base / "file"))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(self.base / "home"),
            "BORG_SELFTEST": "disabled",
            "BORG_REPO": str(self.repository),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_HOST_ID": "another-host@2",
        }

    def try_to(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def __call__(self, *arguments: str) -> str:
        done = self.try_to(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill_a_backup(self) -> None:
        """Kill a backup in the middle, when it has written something."""
        before = self.segments()
        process = subprocess.Popen(
            [self.command, "create", "-C", "none", "::two", "-"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        deadline = time.monotonic() + 30
        while self.size() < 30_000_000:
            assert time.monotonic() < deadline
            process.stdin.write(os.urandom(1_000_000))
            process.stdin.flush()
        process.kill()
        process.wait()
        process.stdin.close()
        assert self.segments() != before

    def segments(self) -> list[int]:
        return sorted(int(path.name) for path in self.repository.glob("data/*/*"))

    def segment(self, number: int) -> Path:
        return self.repository / "data" / "0" / str(number)

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.repository.glob("data/*/*"))

    def remove(self, *, at_least: int = -1, may_be_empty: bool = False) -> Removed:
        return remove_uncommitted(
            self.repository, self.locked, at_least=at_least, may_be_empty=may_be_empty
        )

    def locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self.repository, OURS, lambda holder: holder.host_id != OURS)


@pytest.fixture(params=BORG_LINES)
def borg(request: pytest.FixtureRequest, tmp_path: Path) -> Borg:
    return Borg(request.param, tmp_path)


@pytest.fixture
def killed(borg: Borg) -> Borg:
    borg.kill_a_backup()
    return borg


def entry(tag: int, data: bytes) -> bytes:
    rest = struct.pack("<IB", 9 + len(data), tag) + data
    return struct.pack("<I", crc32(rest)) + rest


def test_what_a_killed_backup_left_is_removed_and_nothing_else(borg: Borg) -> None:
    before = borg.segments()
    borg.kill_a_backup()
    removed = borg.remove(at_least=last_transaction(borg.repository))
    assert removed.size_bytes > 20_000_000
    assert removed.doubt is None
    assert borg.segments() == before
    assert not list(borg.repository.glob("lock*"))
    borg("check")
    assert "one" in borg("list")
    borg("create", "::three", str(borg.base / "file"))
    assert borg.remove() == Removed()
    borg("check")


def test_a_whole_repository_loses_nothing(borg: Borg) -> None:
    before = borg.segments()
    assert borg.remove(at_least=last_transaction(borg.repository)) == Removed()
    assert borg.segments() == before
    assert last_commit(borg.repository)[0] == before[-1]


def test_without_an_index_the_last_commit_is_the_transaction(borg: Borg) -> None:
    known, written = last_transaction(borg.repository), last_written_at(borg.repository)
    for path in [*borg.repository.glob("index.*"), *borg.repository.glob("hints.*")]:
        path.unlink()
    assert last_transaction(borg.repository) == known
    found = last_written_at(borg.repository)
    assert found is not None
    assert written is not None
    assert abs((found - written).total_seconds()) < 10
    borg("list")
    assert last_transaction(borg.repository) == known


def test_a_commit_that_cannot_be_read_is_a_doubt(killed: Borg) -> None:
    """Else the newest archive would go with what was not committed."""
    number, segment = last_commit(killed.repository)
    assert segment is not None
    broken = bytearray(segment.read_bytes())
    broken[-1] ^= 1
    segment.write_bytes(broken)
    before = killed.segments()
    assert killed.remove(at_least=number).doubt is not None
    assert killed.segments() == before


def test_an_index_that_is_newer_than_the_last_commit_is_a_doubt(killed: Borg) -> None:
    before = killed.segments()
    killed.segment(last_commit(killed.repository)[0]).unlink()
    assert killed.remove().doubt == "the last commit on disk is older than the one that is known"
    assert len(killed.segments()) == len(before) - 1


def test_a_commit_in_the_middle_of_a_segment_is_a_doubt(borg: Borg) -> None:
    number = borg.segments()[-1] + 1
    data = entry(0, bytes(32) + b"data")
    borg.segment(number).write_bytes(b"BORG_SEG" + data + COMMIT + data)
    assert ending(borg.segment(number)) == Ending.DOUBTFUL
    assert borg.remove().doubt is not None
    assert borg.segment(number).exists()


def test_data_that_looks_like_a_commit_is_none(borg: Borg) -> None:
    number = borg.segments()[-1] + 1
    borg.segment(number).write_bytes(b"BORG_SEG" + entry(0, bytes(32) + COMMIT))
    assert ending(borg.segment(number)) == Ending.UNCOMMITTED
    assert borg.remove().segments == 1
    borg("check")


def test_what_is_no_segment_is_a_doubt(borg: Borg) -> None:
    number = borg.segments()[-1] + 1
    borg.segment(number).write_bytes(b"something else")
    assert borg.remove().doubt is not None
    assert borg.segment(number).exists()


def test_a_repository_without_any_commit_is_emptied_only_by_who_made_it(borg: Borg) -> None:
    for path in [*borg.repository.glob("data/*/*"), *borg.repository.glob("[hi]*.*")]:
        path.unlink()
    borg.segment(0).write_bytes(b"BORG_SEG" + entry(0, bytes(32) + b"data"))
    assert borg.remove().doubt == "no commit was found"
    assert borg.remove(may_be_empty=True).segments == 1


@pytest.mark.long
def test_the_lock_keeps_borg_out_and_borgs_lock_keeps_us_out(borg: Borg) -> None:
    with borg.locked():
        for words in (["list"], ["create", "::two", str(borg.base / "file")]):
            done = borg.try_to("--lock-wait", "1", *words)
            assert done.returncode != 0
            assert "lock" in done.stderr
    borg("list")
    assert not list(borg.repository.glob("lock*"))

    held = borg.repository / "lock.exclusive"
    held.mkdir()
    (held / f"{OURS}.1-0").touch()
    with pytest.raises(LockedError), borg.locked():
        pass
    (held / f"{OURS}.1-0").unlink()
    held.rmdir()


def test_a_reader_keeps_the_lock(killed: Borg) -> None:
    roster = killed.repository / "lock.roster"
    roster.write_text(json.dumps({"shared": [[OURS, 1, 0]]}))
    before = killed.segments()
    assert killed.remove().doubt == "the repository is locked"
    assert killed.segments() == before
    assert not (killed.repository / "lock.exclusive").exists()
