"""What happens to a repository past the gate, with a borg that an administrator runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asyncinotify import Inotify

from hive.background import spawn
from hive.borg.repository import Snapshot, state_of
from hive.database import transactional
from hive.kinds import EventKind
from hive.models import Repository
from hive.services.lifecycle import trash
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from tests import factories
from tests.e2e.gate.harness import until
from tests.programs import BORG_LINES, borg_command
from tests.services.measurements.watching import borg, environment, happened, kinds, watching


@pytest.fixture
async def laptop(hive: object) -> RepositoryInfo:
    """A repository whose directory is there, and empty."""
    people = await factories.make_people()
    made = await factories.make_repository(people.alice, name="laptop")
    info = await catalogue.find_repository(OPERATOR, made.login)
    info.path.mkdir(parents=True)
    return info


@pytest.fixture
async def watcher(laptop: RepositoryInfo) -> AsyncIterator[LocalChangeWatch]:
    async with watching(laptop) as made:
        yield made


@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_backup_on_the_server_itself_is_seen(
    watcher: LocalChangeWatch, laptop: RepositoryInfo, version: str
) -> None:
    await borg(laptop, "init", "-e", "none", version=version)
    await happened(laptop, EventKind.UPDATED_LOCALLY)
    found = await catalogue.find_repository(OPERATOR, laptop.login)
    assert found.state == "ready"
    assert found.size_bytes is not None


async def test_a_lock_of_another_host_is_seen_come_and_go(
    watcher: LocalChangeWatch, laptop: RepositoryInfo
) -> None:
    await borg(laptop, "init", "-e", "none")
    holder = await asyncio.create_subprocess_exec(
        borg_command("1.4"),
        "with-lock",
        str(laptop.path),
        "sleep",
        "60",
        env=environment(laptop),
        start_new_session=True,
    )
    await happened(laptop, EventKind.OPENED_LOCALLY)
    os.killpg(holder.pid, signal.SIGINT)
    await holder.wait()
    await happened(laptop, EventKind.CLOSED_LOCALLY)


async def test_what_only_reads_changes_nothing(
    watcher: LocalChangeWatch, laptop: RepositoryInfo
) -> None:
    await borg(laptop, "init", "-e", "none")

    async def is_known() -> bool:  # a busy machine may see init in two steps
        row = await Repository.get(id=laptop.id)
        return row.known_state == state_of(laptop.path) != ""

    await until(is_known)
    before = (await kinds(laptop)).count(EventKind.UPDATED_LOCALLY)
    for _ in range(3):
        await borg(laptop, "list")
    await borg(laptop, "create", "::one", str(Path(__file__)))

    async def is_told() -> bool:
        return (await kinds(laptop)).count(EventKind.UPDATED_LOCALLY) > before

    await until(is_told)
    assert (await kinds(laptop)).count(EventKind.UPDATED_LOCALLY) == before + 1


async def test_content_that_is_gone_is_told_and_a_directory_made_again_is_watched(
    watcher: LocalChangeWatch, laptop: RepositoryInfo
) -> None:
    await borg(laptop, "init", "-e", "none")
    await happened(laptop, EventKind.UPDATED_LOCALLY)
    shutil.rmtree(laptop.path)

    async def is_new() -> bool:
        return (await catalogue.find_repository(OPERATOR, laptop.login)).state == "new"

    await until(is_new)
    laptop.path.mkdir()
    watcher.stir()
    await borg(laptop, "init", "-e", "none")

    async def is_ready() -> bool:
        return (await catalogue.find_repository(OPERATOR, laptop.login)).state == "ready"

    await until(is_ready)


async def test_a_change_made_while_nobody_watched_is_seen_at_the_next_start(
    laptop: RepositoryInfo,
) -> None:
    first = LocalChangeWatch(settle_seconds=0.05)
    task = spawn(first.run(), name="watcher")

    async def looked_at() -> bool:
        row = await Repository.get(id=laptop.id)
        return laptop.id in first.watched and row.known_state == ""

    await until(looked_at)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await borg(laptop, "init", "-e", "none")
    async with watching(laptop):
        await happened(laptop, EventKind.UPDATED_LOCALLY)


@pytest.mark.long
async def test_a_directory_that_cannot_be_watched_is_looked_at_all_the_same(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, "add_watch", no_more)
    made = LocalChangeWatch(settle_seconds=0.05, rescan_seconds=0.2)
    task = spawn(made.run(), name="watcher")
    await borg(laptop, "init", "-e", "none")
    await happened(laptop, EventKind.UPDATED_LOCALLY)
    task.cancel()


async def test_a_deleted_repository_is_left_alone(
    watcher: LocalChangeWatch, laptop: RepositoryInfo
) -> None:
    await borg(laptop, "init", "-e", "none")
    await happened(laptop, EventKind.UPDATED_LOCALLY)
    await trash.delete_repository(OPERATOR, laptop.id)
    watcher.stir()
    assert (await kinds(laptop)).count(EventKind.UPDATED_LOCALLY) == 1


async def test_what_stirs_while_the_watcher_looks_is_looked_at_too(
    laptop: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    made = LocalChangeWatch(settle_seconds=0)
    look = made._look

    async def slow(row: Repository) -> None:
        looked.append(laptop.id)
        if len(looked) == 1:
            made.stir([laptop.id])
        await look(row)

    monkeypatch.setattr(made, "_look", slow)
    task = spawn(made.run(), name="watcher")

    async def twice() -> bool:
        return len(looked) >= 2

    await until(twice, seconds=5)
    task.cancel()


async def test_what_a_look_cannot_tell_leaves_the_measured_size(laptop: RepositoryInfo) -> None:
    measured = Snapshot(is_created=True, state="1", config=None, size_bytes=4711)
    untold = replace(measured, state="2", size_bytes=None)  # borg 2 does not count by itself

    async def note(look: Snapshot) -> int | None:
        @transactional
        async def write() -> None:
            await record.note_snapshot(laptop.id, look)

        await write()
        return (await catalogue.find_repository(OPERATOR, laptop.login)).size_bytes

    assert await note(measured) == 4711
    assert await note(untold) == 4711
    assert await note(Snapshot(is_created=False, state="", config=None, size_bytes=None)) is None
