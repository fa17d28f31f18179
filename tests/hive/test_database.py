from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from hive import background, clock, database, sql
from hive.background import spawn, unbroken
from hive.config.settings import Settings
from hive.database import after_commit, transactional
from hive.errors import Conflict, DatabaseError
from hive.models import Group
from hive.sentences import say

pytestmark = pytest.mark.usefixtures("hive")


async def add(name: str) -> None:
    await Group.create(name=name, created_at=clock.now())


async def names() -> list[str]:
    return sorted([group.name for group in await Group.all()])


@transactional
async def add_and_fail(name: str) -> None:
    await add(name)
    raise ValueError


@transactional
async def add_slowly(name: str, started: asyncio.Event, go_on: asyncio.Event) -> None:
    await add(name)
    started.set()
    await go_on.wait()
    await add(f"{name}-too")


async def test_a_transaction_that_fails_leaves_nothing() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        await add_and_fail("lost")
    assert await names() == []


async def test_a_call_inside_a_transaction_joins_it() -> None:
    @transactional
    async def outer() -> None:
        await add("outer")
        await add_and_fail("inner")

    with pytest.raises(ValueError):  # noqa: PT011
        await outer()
    assert await names() == []


async def test_a_cancelled_caller_stops_waiting_and_the_transaction_ends() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    caller = spawn(add_slowly("kept", started, go_on), name="caller")
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await add("next")
    assert await names() == ["kept", "kept-too", "next"]


async def test_a_task_spawned_inside_a_transaction_does_not_join_it() -> None:
    tasks = []

    @transactional
    async def fails() -> None:
        await add("rolled back")
        tasks.append(spawn(add("on its own"), name="add"))
        await asyncio.sleep(0.01)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await fails()
    await tasks[0]
    assert await names() == ["on its own"]


async def test_a_spawned_task_is_no_longer_told_of_the_callers_commit() -> None:
    called = []

    async def task() -> None:
        after_commit(lambda: called.append("at once"))

    @transactional
    async def outer() -> None:
        await spawn(task(), name="task")
        assert called == ["at once"]

    await outer()


async def test_log_lines_of_a_spawned_task_name_what_started_it() -> None:
    async def look() -> dict[str, object]:
        return structlog.contextvars.get_contextvars()

    with structlog.contextvars.bound_contextvars(session="7"):
        task = spawn(look(), name="look")
    assert await task == {"session": "7"}


async def test_after_commit_is_called_once_and_after_the_commit() -> None:
    seen: list[str] = []

    @transactional
    async def inner() -> None:
        after_commit(lambda: seen.append("inner"))

    @transactional
    async def outer() -> None:
        await inner()
        after_commit(lambda: seen.append("outer"))
        assert seen == []

    await outer()
    assert seen == ["inner", "outer"]
    after_commit(lambda: seen.append("none"))
    assert seen[-1] == "none"


async def test_after_commit_is_not_called_on_rollback() -> None:
    seen: list[str] = []

    @transactional
    async def fails() -> None:
        after_commit(lambda: seen.append("never"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await fails()
    assert seen == []


async def test_one_listener_that_fails_does_not_keep_the_others_from_hearing() -> None:
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("listener")

    @transactional
    async def change() -> None:
        await add("changed")
        after_commit(lambda: seen.append("first"))
        after_commit(fail)
        after_commit(lambda: seen.append("third"))

    with pytest.raises(ValueError, match="listener"):
        await change()
    assert seen == ["first", "third"]
    assert await names() == ["changed"]


async def test_a_broken_unique_is_a_conflict() -> None:
    @transactional
    async def twice() -> None:
        await add("same")
        await add("same")

    with pytest.raises(Conflict):
        await twice()
    assert await names() == []


async def test_work_of_several_steps_goes_on_when_its_caller_is_cancelled() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def steps() -> None:
        await add_slowly("first", started, go_on)
        await add("second")

    caller = asyncio.ensure_future(unbroken(steps(), name="steps"))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await asyncio.wait(set(background.tasks))
    assert "second" in await names()


async def test_while_transactions_are_refused_none_waits_for_its_turn() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    running = spawn(add_slowly("running", started, go_on), name="running")
    await started.wait()
    assert database.is_writing()
    waiting = spawn(add_and_fail("waiting"), name="waiting")
    await asyncio.sleep(0)
    database.refuse_transactions(say("Not now."))
    with pytest.raises(DatabaseError, match="Not now"):
        await add_and_fail("late")
    go_on.set()
    await running
    with pytest.raises(DatabaseError, match="Not now"):
        await waiting
    assert not database.is_writing()
    assert await names() == ["running", "running-too"]  # reading goes on
    database.refuse_transactions(None)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        await add_and_fail("again")


async def test_a_whole_database_has_no_problems() -> None:
    assert await sql.problems() == []
    assert await database.answers()


async def test_rows_that_refer_to_nothing_are_told(hive: Settings) -> None:
    import sqlite3  # noqa: PLC0415 - only to do what the services never would

    connection = sqlite3.connect(hive.paths.database)
    connection.execute(
        "INSERT INTO membership (user_id, group_id, created_at) VALUES (77, 77, '2026-01-01')"
    )
    connection.commit()
    connection.close()
    assert await sql.problems() == ["2 rows refer to rows that are gone"]


async def test_a_file_that_is_no_database_is_said_to_be_none(
    tmp_path: Path, hive: Settings
) -> None:
    await database.close_database()
    (tmp_path / "other").write_text("no database " * 1000)
    with pytest.raises(DatabaseError, match="cannot be opened"):
        await database.open_database(database.sqlite_url(tmp_path / "other"))
    await database.open_database(database.sqlite_url(hive.paths.database))
