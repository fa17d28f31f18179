"""What can be told of real repositories without their passphrase."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgpack
import pytest

from hive.borg import facts
from hive.borg.encryption import Encryption
from hive.borg.facts import Kind, Unreadable
from tests import factories
from tests.programs import borg_command

BORG1 = ["1.2", "1.4"]
MODES = {
    "none": Encryption.NONE,
    "authenticated": Encryption.AUTHENTICATED,
    "authenticated-blake2": Encryption.AUTHENTICATED,
    "keyfile": Encryption.KEYFILE,
    "keyfile-blake2": Encryption.KEYFILE,
    "repokey": Encryption.REPOKEY,
    "repokey-blake2": Encryption.REPOKEY,
}
BORG2_MODES = {
    "none-sha256": Encryption.NONE,
    "none-blake3": Encryption.NONE,
    "authenticated-sha256": Encryption.AUTHENTICATED,
    "authenticated-blake3": Encryption.AUTHENTICATED,
    "aes256-ocb": Encryption.REPOKEY,
    "chacha20-poly1305": Encryption.REPOKEY,
}


class Borg:
    """One borg with its own home, and something to back up."""

    def __init__(self, line: str, base: Path) -> None:
        self.command = borg_command(line)
        self.base = base
        self.repository = base / "repository"
        self.source = base / "source"
        self.source.mkdir(parents=True)

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [self.command, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(self.base / "home"),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": "a passphrase for tests",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_REPO": str(self.repository),
            "LC_ALL": "C.UTF-8",
        }

    def fill(self, name: str, size: int) -> None:
        (self.source / name).write_bytes(os.urandom(size))

    def read(self) -> facts.RepositoryFacts:
        return facts.read(self.repository)


@pytest.fixture(params=BORG1)
def borg(request: pytest.FixtureRequest, tmp_path: Path) -> Borg:
    return Borg(request.param, tmp_path)


@pytest.fixture
def filled(borg: Borg) -> Borg:
    borg("init", "-e", "none", borg.repository)
    for number in range(2):
        borg.fill("file", 3_000_000)
        borg("create", f"::{number}", borg.source)
    return borg


def used(path: Path) -> int:
    """What find says, without what directories take: du counts those or not, by its version."""
    shown = subprocess.run(
        ["/usr/bin/find", path, "!", "-type", "d", "-printf", "%s\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sum(map(int, shown.stdout.split()))


def within_one_percent(found: int, wanted: int) -> bool:
    return abs(found - wanted) <= wanted / 100


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", BORG1)
def test_the_encryption_is_told_without_the_passphrase(
    line: str, mode: str, tmp_path: Path
) -> None:
    borg = Borg(line, tmp_path)
    borg("init", "-e", mode, borg.repository)
    found = borg.read()
    assert (found.kind, found.version, found.encryption) == (Kind.BORG1, 1, MODES[mode])
    borg("create", "::first", borg.source)
    assert borg.read().encryption == MODES[mode]
    # without hints to tell which segments hold something
    next(borg.repository.glob("hints.*")).unlink()
    assert borg.read().encryption == MODES[mode]


@pytest.mark.parametrize("mode", BORG2_MODES)
def test_the_encryption_of_borg_2_is_told_too(mode: str, tmp_path: Path) -> None:
    borg = Borg("2", tmp_path)
    borg("repo-create", "-e", mode)
    found = borg.read()
    assert (found.kind, found.version, found.encryption) == (Kind.BORG2, 4, BORG2_MODES[mode])
    assert len(found.id or "") == 64


def test_a_keyfile_of_borg_2_is_not_in_the_repository(tmp_path: Path) -> None:
    borg = Borg("2", tmp_path)
    borg("repo-create", "-e", "aes256-ocb", "--key-location", "keyfile")
    assert borg.read().encryption == Encryption.KEYFILE


def test_a_keyfile_counts_as_encrypted_and_authenticated_does_not() -> None:
    told = {kind: kind.is_encrypted for kind in Encryption}
    assert told == {
        Encryption.REPOKEY: True,
        Encryption.KEYFILE: True,
        Encryption.AUTHENTICATED: False,
        Encryption.NONE: False,
        Encryption.UNKNOWN: None,
    }


def test_sizes_are_those_on_the_disk(filled: Borg) -> None:
    found = filled.read()
    assert within_one_percent(found.size_bytes, used(filled.repository))
    assert not found.is_walked
    assert found.live_bytes is not None
    assert found.reclaimable_bytes is not None
    assert within_one_percent(found.live_bytes, used(filled.repository / "data"))
    assert found.segments is not None
    assert f"Repository ID: {found.id}" in filled("info")


def test_what_compacting_would_free_is_what_it_frees(filled: Borg) -> None:
    filled("delete", "::0")
    deleted = filled.read()
    assert within_one_percent(deleted.size_bytes, used(filled.repository))
    assert deleted.reclaimable_bytes is not None
    assert within_one_percent(deleted.reclaimable_bytes, 3_000_000)
    filled("compact")
    compacted = filled.read()
    assert within_one_percent(compacted.size_bytes, used(filled.repository))
    assert compacted.reclaimable_bytes is not None
    assert compacted.reclaimable_bytes < 10_000
    freed = deleted.size_bytes - compacted.size_bytes
    assert within_one_percent(freed, deleted.reclaimable_bytes)


def test_many_small_files_are_measured_as_well(borg: Borg) -> None:
    borg("init", "-e", "repokey", borg.repository)
    for number in range(2_000):
        borg.fill(str(number), 2_000)
    borg("create", "::first", borg.source)
    assert within_one_percent(borg.read().size_bytes, used(borg.repository))


def test_append_only_quota_and_the_log_are_told(borg: Borg) -> None:
    borg("init", "-e", "none", "--append-only", "--storage-quota", "50M", borg.repository)
    began = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(3):
        borg("create", f"::{number}", borg.source)
    found = borg.read()
    assert found.append_only is True
    assert found.config_quota_bytes == 50_000_000
    assert found.transactions[-1].number == found.transaction
    assert [one.number for one in found.transactions] == sorted(
        one.number for one in found.transactions
    )
    assert all(began < one.at < datetime.now(UTC) for one in found.transactions)


def test_a_log_that_is_being_written_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "transactions"
    log.write_text(
        "transaction 5, UTC time 2026-11-23T10:00:00.000000\n"
        "nonsense\ntransaction 7, UTC time never\n"
        "transaction 9, UTC time 2026-11-2"
    )
    assert [one.number for one in facts._log(log)] == [5]


def test_a_commit_under_way_shows_the_old_or_the_new_state(filled: Borg, tmp_path: Path) -> None:
    """Borg puts integrity, hints and index in place one by one, then removes the old ones."""
    old, before = tmp_path / "old", filled.read()
    shutil.copytree(filled.repository, old)
    filled.fill("another", 2_000_000)
    filled("create", "::more", filled.source)
    after = filled.read()
    assert before.transaction is not None
    assert after.transaction is not None
    between = tmp_path / "between"
    shutil.copytree(old, between)
    shutil.copytree(filled.repository / "data", between / "data", dirs_exist_ok=True)
    # the segments are there, nothing tells of them yet: they count all the same
    seen = facts.read(between)
    assert seen.live_bytes == before.live_bytes
    assert within_one_percent(seen.size_bytes, used(between))
    for kind in ("integrity", "hints", "index"):
        name = f"{kind}.{after.transaction}"
        (between / f"{name}.tmp").write_bytes(b"half")
        shutil.copy(filled.repository / name, between / name)
        (between / f"{name}.tmp").unlink()
        seen = facts.read(between)
        assert seen.live_bytes in (before.live_bytes, after.live_bytes)
        # the old index and hints lie there as well
        assert abs(seen.size_bytes - after.size_bytes) < 200_000
    for kind in ("hints", "index", "integrity"):
        (between / f"{kind}.{before.transaction}").unlink()
    assert facts.read(between) == after


def test_torn_hints_fall_back_to_the_former_ones(filled: Borg) -> None:
    before = filled.read()
    newest = next(filled.repository.glob("hints.*"))
    number = int(newest.suffix[1:])
    segments = filled.repository / "data/0"
    shutil.copy(segments / f"{number}", segments / f"{number + 4}")  # it holds a COMMIT alone
    torn = filled.repository / f"hints.{number + 4}"
    for length in range(0, newest.stat().st_size, 7):
        torn.write_bytes(newest.read_bytes()[:length])
        seen = filled.read()
        assert (seen.live_bytes, seen.is_walked) == (before.live_bytes, False)


def test_without_hints_the_files_are_counted(filled: Borg) -> None:
    next(filled.repository.glob("hints.*")).write_bytes(b"no hints")
    found = filled.read()
    assert found.is_walked
    assert found.size_bytes == used(filled.repository)
    assert (found.live_bytes, found.reclaimable_bytes, found.segments) == (None, None, None)


@pytest.mark.parametrize("quota_use", [0, -5, 1_000])
def test_hints_of_a_borg_that_did_not_count_are_not_believed(filled: Borg, quota_use: int) -> None:
    path = next(filled.repository.glob("hints.*"))
    hints = msgpack.unpackb(path.read_bytes(), raw=True, strict_map_key=False)
    hints[b"storage_quota_use"] = quota_use
    hints[b"compact"][1] = 2_500_000
    path.write_bytes(msgpack.packb(hints))
    found = filled.read()
    assert found.is_walked
    assert found.size_bytes == used(filled.repository)
    assert (found.quota_use_bytes, found.live_bytes) == (None, None)


@contextmanager
def writing(borg: Borg) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [borg.command, "create", "--checkpoint-interval", "1", "::stream", "-"],
        env=borg.environment,
        stdin=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_repository_is_read_while_borg_writes_it(filled: Borg) -> None:
    transactions: set[int | None] = set()
    with writing(filled) as process:
        assert process.stdin is not None
        for _ in range(60):
            process.stdin.write(os.urandom(1_000_000))
            process.stdin.flush()
            found = filled.read()
            assert found.kind == Kind.BORG1
            assert not found.is_walked
            transactions.add(found.transaction)
        assert found.size_bytes > 30_000_000
        assert [lock.holder.pid for lock in found.locks if lock.is_exclusive] == [process.pid]


def test_the_sizes_of_borg_2_are_counted(tmp_path: Path) -> None:
    borg = Borg("2", tmp_path)
    borg("repo-create", "-e", "aes256-ocb")
    borg.fill("file", 2_000_000)
    borg("create", "first", borg.source)
    found = borg.read()
    assert found.size_bytes == used(borg.repository)
    assert found.segments
    assert (found.live_bytes, found.append_only, found.transaction) == (None, None, None)


def test_a_file_tree_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"1234")
    assert facts.read(tmp_path).kind == Kind.NONE
    (tmp_path / "config").write_text("[core]\nbare = true\n")  # git's
    found = facts.read(tmp_path)
    assert (found.kind, found.size_bytes) == (Kind.NONE, 23)
    assert facts.read(tmp_path / "nowhere") == facts.RepositoryFacts(kind=Kind.NONE, is_walked=True)


def test_a_broken_config_is_no_missing_repository(filled: Borg) -> None:
    (filled.repository / "config").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable, match="not borg's config"):
        filled.read()


def test_a_segment_that_lies_says_nothing(tmp_path: Path) -> None:
    factories.make_borg_repository(tmp_path / "repository", tmp_path)
    for segment in (tmp_path / "repository" / "data" / "0").iterdir():
        segment.write_bytes(b"BORG_SEG" + os.urandom(3))
    assert facts.read(tmp_path / "repository").encryption == Encryption.UNKNOWN
