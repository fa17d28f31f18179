"""What the watcher of local changes goes through: lost notices, limits, replaced directories."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest
from asyncinotify import Event, Inotify, Mask
from tortoise.connection import get_connection
from tortoise.exceptions import OperationalError

from hive.background import spawn
from hive.borg.repository import snapshot
from hive.database import transactional
from hive.kinds import EventKind
from hive.models import Repository
from hive.services.lifecycle import trash
from hive.services.measurements import local_changes
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, maintenance
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from tests import factories
from tests.e2e.gate.harness import until
from tests.programs import borg_command
from tests.services.measurements.watching import (
    borg,
    environment,
    happened,
    kinds,
    known,
    watching,
)

UPDATED = EventKind.UPDATED_LOCALLY
OPENED = EventKind.OPENED_LOCALLY
CLOSED = EventKind.CLOSED_LOCALLY


async def make(name: str) -> RepositoryInfo:
    owner = await factories.make_user(f"owner-of-{name}")
    made = await factories.make_repository(owner, name=name)
    info = await catalogue.find_repository(OPERATOR, made.login)
    info.path.mkdir(parents=True)
    return info


@pytest.fixture
async def laptop(hive: object) -> RepositoryInfo:
    """A repository whose directory is there, and empty."""
    return await make("laptop")


@pytest.fixture
def asks_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_changes, "_ASK_AGAIN_SECONDS", 0.1)


async def told(info: RepositoryInfo, kind: EventKind, times: int) -> None:
    async def is_told() -> bool:
        return (await kinds(info)).count(kind) == times

    await until(is_told)


def counted_looks(watcher: LocalChangeWatch, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The repositories that the watcher has looked at from now on."""
    looked: list[int] = []
    look = watcher._look

    async def counting(row: Repository) -> None:
        await look(row)
        looked.append(row.id)

    monkeypatch.setattr(watcher, "_look", counting)
    return looked


async def looked_at(looked: list[int], times: int) -> None:
    async def enough() -> bool:
        return len(looked) >= times

    await until(enough)


def overflow(directory: Path) -> None:
    """More happens in the directory than the kernel keeps for the one who watches."""
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    file = directory / "noise"
    for _ in range(kept // 2 + 100):
        file.touch()
        file.unlink()


@pytest.mark.long
async def test_after_an_overflow_of_the_kernels_queue_changes_are_told_as_before(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted, replaced = await make("deleted"), await make("replaced")
    for info in (laptop, deleted, replaced):
        await borg(info, "init", "-e", "none")
    heard: list[Mask] = []
    async with watching(laptop, deleted, replaced) as watcher:
        await known(laptop, deleted, replaced)
        hear = watcher._hear

        def listening(notice: Event) -> None:
            heard.append(notice.mask)
            hear(notice)

        monkeypatch.setattr(watcher, "_hear", listening)
        overflow(laptop.path)  # while nobody reads: this loop is busy
        shutil.rmtree(deleted.path)
        shutil.rmtree(replaced.path)
        replaced.path.mkdir()
        await told(deleted, EventKind.CONTENT_GONE, 1)
        await told(replaced, EventKind.CONTENT_GONE, 1)
        assert any(Mask.Q_OVERFLOW in mask for mask in heard)
        assert watcher.watched == {laptop.id, replaced.id}
        await borg(replaced, "init", "-e", "none")
        await borg(laptop, "create", "::one", str(Path(__file__)))
        await told(replaced, UPDATED, 1)
        await told(laptop, UPDATED, 1)
    assert (await kinds(deleted)).count(EventKind.CONTENT_GONE) == 1


async def test_a_directory_that_took_the_place_of_another_is_watched(
    laptop: RepositoryInfo,
) -> None:
    await borg(laptop, "init", "-e", "none")
    aside = laptop.path.with_name("aside")
    shutil.copytree(laptop.path, aside)
    async with watching(laptop):
        laptop.path.rename(laptop.path.with_name("former"))
        aside.rename(laptop.path)
        await asyncio.sleep(0.3)  # the same content: nothing to tell
        assert UPDATED not in await kinds(laptop)
        await borg(laptop, "create", "::one", str(Path(__file__)))
        await told(laptop, UPDATED, 1)


async def test_two_directories_that_changed_places_are_told_apart(laptop: RepositoryInfo) -> None:
    other = await make("other")
    for info in (laptop, other):
        await borg(info, "init", "-e", "none")
    async with watching(laptop, other):
        aside = laptop.path.with_name("aside")
        laptop.path.rename(aside)
        other.path.rename(laptop.path)
        aside.rename(other.path)
        await asyncio.sleep(0.3)
        await borg(other, "create", "::one", str(Path(__file__)))
        await told(other, UPDATED, 1)
        assert UPDATED not in await kinds(laptop)


async def test_a_deleted_repository_is_watched_no_longer(laptop: RepositoryInfo) -> None:
    async with watching(laptop) as watcher:
        await trash.delete_repository(OPERATOR, laptop.id)

        async def is_let_go() -> bool:
            return laptop.id not in watcher.watched

        await until(is_let_go)


async def test_who_cannot_be_watched_has_a_turn_however_much_stirs(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, "add_watch", no_more)
    async with watching(settle_seconds=0.01, rescan_seconds=0.3) as watcher:

        async def keep_stirring() -> None:
            while True:
                watcher.stir([0])
                await asyncio.sleep(0.02)

        stirring = spawn(keep_stirring(), name="stir")
        try:
            await borg(laptop, "init", "-e", "none")
            await happened(laptop, UPDATED)
        finally:
            stirring.cancel()


async def test_without_inotify_everything_is_looked_at_now_and_then(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(local_changes, "Inotify", too_many)
    async with watching(rescan_seconds=0.2):
        await borg(laptop, "init", "-e", "none")
        await happened(laptop, UPDATED)


@pytest.mark.long
@pytest.mark.usefixtures("asks_soon")
async def test_nothing_is_told_while_a_maintenance_is_at_it_but_when_it_is_over(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop) as watcher:
        await maintenance.begin(laptop.id, "borg check")
        looked = counted_looks(watcher, monkeypatch)
        await borg(laptop, "create", "::one", str(Path(__file__)))
        holder = await asyncio.create_subprocess_exec(
            borg_command("1.4"),
            *("with-lock", str(laptop.path), "sleep", "60"),
            env=environment(laptop),
            start_new_session=True,
        )

        async def is_locked() -> bool:
            return (laptop.path / "lock.exclusive").exists()

        await until(is_locked)
        await looked_at(looked, len(looked) + 3)
        assert {UPDATED, OPENED}.isdisjoint(await kinds(laptop))
        await maintenance.end(laptop.id)
        await told(laptop, OPENED, 1)
        await told(laptop, UPDATED, 1)
        os.killpg(holder.pid, signal.SIGINT)
        await holder.wait()
        await told(laptop, CLOSED, 1)


@pytest.mark.usefixtures("asks_soon")
async def test_what_a_maintenance_did_and_noted_is_not_told(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop) as watcher:
        await maintenance.begin(laptop.id, "borg compact")
        looked = counted_looks(watcher, monkeypatch)
        await borg(laptop, "create", "::one", str(Path(__file__)))
        await looked_at(looked, 2)

        @transactional
        async def note() -> None:
            await record.note_snapshot(laptop.id, snapshot(laptop.path))

        await note()
        await maintenance.end(laptop.id)
        for _ in range(2):  # one look may have been under way already
            watcher.stir()
            await looked_at(looked, len(looked) + 1)
        assert UPDATED not in await kinds(laptop)


async def test_a_maintenance_that_began_while_the_disk_was_read_is_not_told_of(
    laptop: RepositoryInfo,
) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop):
        pass
    before = await Repository.get(id=laptop.id)
    await borg(laptop, "create", "::one", str(Path(__file__)))
    look = local_changes._look_closely(laptop.path)
    await maintenance.begin(laptop.id, "borg compact")
    assert await local_changes._note(before, look, was_held=False) is None
    await maintenance.end(laptop.id)
    assert await local_changes._note(before, look, was_held=False) is True
    assert await local_changes._note(before, look, was_held=False) is None  # it is noted by now


async def test_a_local_backup_is_one_series_in_its_order(laptop: RepositoryInfo) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop, settle_seconds=0.5):  # commit and end fall into one look
        backup = await asyncio.create_subprocess_exec(
            borg_command("1.4"),
            *("create", "::one", "-"),
            env=environment(laptop),
            stdin=asyncio.subprocess.PIPE,
        )
        await told(laptop, OPENED, 1)
        await backup.communicate(b"content")
        await told(laptop, CLOSED, 1)
        assert [
            kind for kind in reversed(await kinds(laptop)) if kind in (OPENED, UPDATED, CLOSED)
        ] == [
            OPENED,
            UPDATED,
            CLOSED,
        ]


async def test_a_lock_that_outlives_the_server_is_told_once_and_its_end_too(
    laptop: RepositoryInfo,
) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop):
        holder = await asyncio.create_subprocess_exec(
            borg_command("1.4"),
            *("with-lock", str(laptop.path), "sleep", "60"),
            env=environment(laptop),
            start_new_session=True,
        )
        await told(laptop, OPENED, 1)
    async with watching(laptop):
        await asyncio.sleep(0.2)
        assert (await kinds(laptop)).count(OPENED) == 1
    os.killpg(holder.pid, signal.SIGINT)
    await holder.wait()
    async with watching(laptop):
        await told(laptop, CLOSED, 1)


async def test_at_rest_a_look_at_everything_asks_the_database_once(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await borg(laptop, "init", "-e", "none")
    await make("another")
    async with watching(laptop) as watcher:
        watcher.stir()
        looked = counted_looks(watcher, monkeypatch)
        await looked_at(looked, 2)
        await asyncio.sleep(0.2)
        statements: list[str] = []
        connection = get_connection("default")
        await connection._connection.set_trace_callback(statements.append)
        watcher.stir()
        await looked_at(looked, len(looked) + 2)
        assert len(statements) == 1, statements


@pytest.mark.usefixtures("asks_soon")
async def test_what_the_database_did_not_answer_is_asked_again(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop):
        await known(laptop)
        failures: list[int] = []

        class Broken:
            def filter(self, **_: object) -> Broken:
                return self

            def select_related(self, _: str) -> Broken:
                return self

            def order_by(self, _: str) -> Broken:
                return self

            async def limit(self, _: int) -> None:
                failures.append(1)
                raise OperationalError("disk I/O error")

            async def update(self, **_: object) -> None:
                raise OperationalError("disk I/O error")

        with monkeypatch.context() as broken:
            broken.setattr(Repository, "filter", lambda **_: Broken())
            await borg(laptop, "create", "::one", str(Path(__file__)))
            await looked_at(failures, 2)
        await told(laptop, UPDATED, 1)
