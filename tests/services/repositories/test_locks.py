"""Locks that real processes of borg hold, or left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.borg import locks
from hive.config.settings import Settings
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Access, EventKind, ShareLevel
from hive.models import Event, Repository
from hive.services import runtime
from hive.services.keys.infos import KeyInfo
from hive.services.measurements import statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories import locks as stale_locks
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.programs import borg_command

OTHER = "another-host@4711"


@pytest.fixture
async def key(people: People) -> KeyInfo:
    return await factories.make_key(people.alice)


@pytest.fixture
async def documents(people: People, key: KeyInfo, tmp_path: Path) -> RepositoryInfo:
    info = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    info.path.parent.mkdir(parents=True)
    await asyncio.to_thread(
        factories.borg, "init", "--encryption=none", info.path, base=tmp_path / "borg"
    )
    return info


@contextmanager
def held(info: RepositoryInfo, host_id: str, base: Path, *, line: str = "1.2") -> Iterator[int]:
    """A lock that a borg holds, which is killed in the end: the lock stays."""
    process = subprocess.Popen(
        [borg_command(line), "with-lock", str(info.path), "sleep", "60"],
        env={
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(base / "borg"),
            "BORG_SELFTEST": "disabled",
            "BORG_HOST_ID": host_id,
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "LC_ALL": "C.UTF-8",
        },
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while not locks.read_locks(info.path) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield process.pid
    finally:
        os.killpg(process.pid, 9)
        process.wait()


async def removals() -> int:
    return await Event.filter(kind=EventKind.LOCK_REMOVED).count()


@pytest.mark.parametrize("line", ["1.2", "1.4"])
async def test_a_lock_of_a_living_process_is_shown_and_stays(
    documents: RepositoryInfo, tmp_path: Path, line: str
) -> None:
    with held(documents, runtime.host_id(), tmp_path, line=line) as pid:
        (lock,) = stale_locks.look(documents.path)
        assert (lock.pid, lock.is_exclusive, lock.is_ours) == (pid, True, True)
        assert (lock.is_dead, lock.is_stale) == (False, False)
        assert lock.since is not None
        assert timedelta(0) <= clock.now() - lock.since < timedelta(minutes=1)
        assert await stale_locks.clear_stale(documents.id) == 0
        assert await stale_locks.break_lock(OPERATOR, documents.id) == []
    (lock,) = stale_locks.look(documents.path)
    assert (lock.is_dead, lock.is_stale) == (True, True)
    assert "which is gone" in lock.in_words(clock.now())


@pytest.mark.parametrize("line", ["1.2", "1.4"])
async def test_measuring_removes_a_lock_that_a_dead_process_left(
    documents: RepositoryInfo, tmp_path: Path, line: str
) -> None:
    with held(documents, runtime.host_id(), tmp_path, line=line):
        pass
    await statistics.measure(documents.id)
    assert stale_locks.look(documents.path) == []
    assert sorted(documents.path.glob("lock.*")) == []
    assert await removals() == 1
    assert (await Repository.get(id=documents.id)).maintenance is None
    await asyncio.to_thread(factories.borg, "check", documents.path, base=tmp_path / "borg")


async def test_a_dead_lock_stays_while_a_session_lives(
    documents: RepositoryInfo, key: KeyInfo, tmp_path: Path
) -> None:
    with held(documents, runtime.host_id(), tmp_path):
        pass
    first = await factories.open_session(documents, key)
    assert await stale_locks.clear_stale(documents.id) == 0
    with pytest.raises(Conflict, match="session"):
        await stale_locks.break_lock(OPERATOR, documents.id)
    second = await factories.open_session(documents, key)
    assert await stale_locks.clear_stale(documents.id, session_id=second.session_id) == 0
    assert len(stale_locks.look(documents.path)) == 1
    assert first.session_id != second.session_id


async def test_the_session_that_begins_finds_no_dead_lock(
    documents: RepositoryInfo, key: KeyInfo, tmp_path: Path
) -> None:
    with held(documents, runtime.host_id(), tmp_path):
        pass
    session = await factories.open_session(documents, key)
    assert await stale_locks.clear_stale(documents.id, session_id=session.session_id) >= 1
    assert stale_locks.look(documents.path) == []


async def test_a_lock_of_another_host_needs_force(
    documents: RepositoryInfo, tmp_path: Path
) -> None:
    with held(documents, OTHER, tmp_path):
        pass
    assert await stale_locks.clear_stale(documents.id) == 0
    assert await stale_locks.break_lock(OPERATOR, documents.id) == []
    (broken,) = await stale_locks.break_lock(OPERATOR, documents.id, force=True)
    assert (broken.host_id, broken.is_ours, broken.is_dead) == (OTHER, False, False)
    assert stale_locks.look(documents.path) == []
    assert await removals() == 1


async def test_an_old_lock_is_told_once_and_its_end_too(
    documents: RepositoryInfo, tmp_path: Path
) -> None:
    with held(documents, OTHER, tmp_path):
        pass
    await statistics.measure(documents.id)
    assert not await Event.filter(kind=EventKind.STALE_LOCK).exists()
    long_ago = time.time() - 25 * 3_600
    for path in (*documents.path.glob("lock.exclusive/*"), documents.path / "lock.roster"):
        os.utime(path, (long_ago, long_ago))
    for _ in range(2):
        await statistics.measure(documents.id)
    event = await Event.get(kind=EventKind.STALE_LOCK)
    assert event.details["holders"][0]["host_id"] == OTHER
    await stale_locks.break_lock(OPERATOR, documents.id, force=True)
    assert await Event.filter(kind=EventKind.ALARM_ENDED).count() == 1


async def test_a_shared_lock_of_a_dead_process_goes_and_others_stay(
    documents: RepositoryInfo,
) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    roster = documents.path / "lock.roster"
    entries = [[runtime.host_id(), gone.pid, 0], [OTHER, 1, 0]]
    roster.write_text(json.dumps({"shared": entries}))
    assert [lock.is_exclusive for lock in stale_locks.look(documents.path)] == [False, False]
    assert await stale_locks.clear_stale(documents.id) == 1
    assert json.loads(roster.read_text()) == {"shared": [[OTHER, 1, 0]]}


async def test_a_number_that_went_to_another_process_is_a_dead_holder(
    documents: RepositoryInfo,
) -> None:
    roster = documents.path / "lock.roster"
    roster.write_text(json.dumps({"shared": [[runtime.host_id(), os.getpid(), 0]]}))
    assert await stale_locks.clear_stale(documents.id) == 1
    assert not roster.exists()


async def test_whoever_may_only_look_breaks_no_lock(
    people: People, documents: RepositoryInfo
) -> None:
    with pytest.raises(NotFound):
        await stale_locks.break_lock(people.bob, documents.id)
    await catalogue.set_repository(
        people.alice, documents.id, share_with=["team"], share_level=ShareLevel.VIEW
    )
    with pytest.raises(Forbidden):
        await stale_locks.break_lock(people.bob, documents.id)
    with pytest.raises(NotFound):
        await stale_locks.break_lock(people.charlie, documents.id)


async def test_locks_of_borg_2_are_shown_and_go_by_force(people: People, tmp_path: Path) -> None:
    info = await factories.make_repository(people.alice, "second")
    (info.path / "config").mkdir(parents=True)
    (info.path / "locks").mkdir()
    lock = {"exclusive": True, "hostid": OTHER, "processid": 7, "threadid": 0, "time": "now"}
    (info.path / "locks" / "aa").write_text(json.dumps(lock))
    (info.path / "locks" / "bb").write_text("no lock")
    (found,) = stale_locks.look(info.path)
    assert (found.host_id, found.pid, found.is_exclusive) == (OTHER, 7, True)
    assert await stale_locks.clear_stale(info.id) == 0
    assert len(await stale_locks.break_lock(OPERATOR, info.id, force=True)) == 1
    assert stale_locks.look(info.path) == []


async def test_a_link_in_place_of_a_roster_is_not_followed(
    documents: RepositoryInfo, tmp_path: Path
) -> None:
    """A client of rsync once put a link there; the server would write to its target as root."""
    target = tmp_path / "precious"
    content = json.dumps({"shared": [[runtime.host_id(), 4_000_000, 0]]})
    target.write_text(content)
    (documents.path / "lock.roster").symlink_to(target)
    assert stale_locks.look(documents.path) == []
    assert locks.remove_locks_of(runtime.host_id(), documents.path) == 0
    assert target.read_text() == content


async def test_an_administrator_can_keep_the_gate_from_it(
    settings: Settings, tmp_path: Path
) -> None:
    changed = factories.make_settings(
        settings.paths.data_dir, **{"storage.break_stale_locks": False}
    )
    await runtime.start(changed)
    try:
        alice = await factories.make_user("alice")
        info = await factories.make_repository(alice)
        info.path.mkdir(parents=True)
        held_by = {"shared": [[runtime.host_id(), 4_000_000, 0]]}
        (info.path / "lock.roster").write_text(json.dumps(held_by))
        assert await stale_locks.clear_stale(info.id) == 0
        assert len(await stale_locks.break_lock(OPERATOR, info.id)) == 1
    finally:
        await runtime.stop()
