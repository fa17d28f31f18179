"""When the gate has to refuse sessions at once: the database is locked, or does not answer."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from hive import database_file
from hive.background import spawn
from hive.config.settings import Settings
from hive.database import transactional
from hive.database_file import DatabaseFile
from hive.errors import DatabaseError
from hive.models import Group
from hive.services import runtime
from hive.services.alarms import server_alarms
from hive.services.clock import trust
from hive.services.server import database_watch
from hive.services.server.database_watch import LOOK_EVERY, DatabaseWatch

FAILS = "The server's database cannot be read or written, so no session can begin."
HANGS = "The server's database does not answer, so no session can begin."


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_file, "_BUSY_SECONDS", 0.1)


@pytest.fixture
async def watch(hive: Settings) -> DatabaseWatch:
    path = hive.paths.database
    assert runtime.database_file() in (None, DatabaseFile.of(path))
    await trust.start()
    return DatabaseWatch(DatabaseFile.of(path))


@contextmanager
def locked(settings: Settings) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(settings.paths.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@transactional
async def change() -> int:
    return await Group.all().count()


@transactional
async def change_slowly(started: asyncio.Event, go_on: asyncio.Event) -> None:
    started.set()
    await go_on.wait()


async def look_for_a_moment(watch: DatabaseWatch) -> None:
    """Look as hive/services/server/server_watch.py does."""
    try:
        async with asyncio.timeout(0.5):
            await watch.look()
    except TimeoutError:
        await watch.hangs()


async def test_a_lock_of_somebody_else_refuses_changes_at_once_until_it_is_gone(
    hive: Settings, watch: DatabaseWatch
) -> None:
    with locked(hive):
        await watch.look()
        assert database_watch.is_silent()
        assert server_alarms.outages() == [FAILS]
        begun = time.monotonic()
        with pytest.raises(DatabaseError, match="keeps the server's database locked"):
            await change()
        assert await Group.all().count() == 0  # reading goes on
        assert time.monotonic() - begun < 2  # busy_timeout is 5 seconds
        assert watch.pause < LOOK_EVERY
    await watch.look()
    assert not database_watch.is_silent()
    assert server_alarms.outages() == []
    assert watch.pause == LOOK_EVERY
    await change()


async def test_a_long_transaction_of_the_server_itself_is_no_lock_of_somebody_else(
    watch: DatabaseWatch,
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    running = spawn(change_slowly(started, go_on), name="slow")
    await started.wait()
    looking = spawn(look_for_a_moment(watch), name="look")  # its alarm waits to be stored
    async with asyncio.timeout(5):
        while not server_alarms.outages():
            await asyncio.sleep(0.05)
    assert server_alarms.outages() == [HANGS]
    assert database_watch.is_silent()
    go_on.set()
    await asyncio.gather(running, looking)
    await watch.look()
    assert not database_watch.is_silent()
    assert server_alarms.outages() == []
    await change()


async def test_a_check_that_takes_long_refuses_nobody(
    watch: DatabaseWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_file: DatabaseFile) -> tuple[str | None, float]:
        time.sleep(1)
        return None, 1

    monkeypatch.setattr(DatabaseFile, "damage", check)
    await look_for_a_moment(watch)
    assert not database_watch.is_silent()
    await change()


async def test_a_file_that_is_lost_while_it_is_locked_is_no_longer_waited_for(
    hive: Settings, watch: DatabaseWatch
) -> None:
    path = hive.paths.database
    with locked(hive):
        await watch.look()
        assert database_watch.is_silent()
        away = path.rename(path.with_name("away"))
        with suppress(DatabaseError):
            await watch.look()
        assert not database_watch.is_silent()
        assert database_watch.is_lost()
        away.rename(path)
