from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hive.borg import locks
from tests import factories

HOST = "borg-hive-0123456789abcdef@4711.22"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("borg")
    factories.borg("init", "--encryption=none", base / "repository", base=base)
    return base / "repository"


@contextmanager
def held(repository: Path, host: str = HOST) -> Iterator[subprocess.Popen[bytes]]:
    """The exclusive lock, held by a borg that is killed at the end, which leaves the lock."""
    process = subprocess.Popen(
        [factories.BORG, "with-lock", str(repository), "sleep", "60"],
        env={
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(repository.parent),
            "BORG_SELFTEST": "disabled",
            "BORG_HOST_ID": host,
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "LC_ALL": "C.UTF-8",
        },
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while locks.exclusive_holder(repository) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_the_holder_of_a_real_lock_is_named(repository: Path) -> None:
    with held(repository) as process:
        assert locks.exclusive_holder(repository) == locks.Holder(HOST, process.pid)
    assert locks.exclusive_holder(repository) is not None  # killed: the lock stays
    assert locks.remove_locks_of("borg-hive-0123456789abcdef@4711.2", repository) == 0
    assert locks.remove_locks_of(HOST, repository) >= 1
    assert locks.exclusive_holder(repository) is None
    assert sorted(path.name for path in repository.glob("lock.*")) == []
    factories.borg("check", repository, base=repository.parent)


def test_locks_of_others_stay(repository: Path) -> None:
    other = "somewhere@else"
    with held(repository, other):
        pass
    assert locks.remove_locks_of(HOST, repository) == 0
    assert locks.exclusive_holder(repository) is not None
    locks.remove_locks_of(other, repository)


def test_a_roster_keeps_what_is_not_ours(tmp_path: Path) -> None:
    roster = tmp_path / "lock.roster"
    roster.write_text(json.dumps({"shared": [[HOST, 1, 0], ["other", 2, 0]], "exclusive": []}))
    assert locks.remove_locks_of(HOST, tmp_path) == 1
    assert json.loads(roster.read_text()) == {"shared": [["other", 2, 0]]}
    roster.write_text(json.dumps({"shared": [[HOST, 1, 0]]}))
    assert locks.remove_locks_of(HOST, tmp_path) == 1
    assert not roster.exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"shared": 7}', '{"shared": null}', '{"shared": [7, [], null]}']
)
def test_a_crooked_roster_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock.roster").write_text(content)
    assert locks.remove_locks_of(HOST, tmp_path) == 0
    assert (tmp_path / "lock.roster").read_text() == content
