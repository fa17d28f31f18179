"""Opening the database, and cancellation-safe transactions.

The only file that knows transactions. Two traps of tortoise-orm on SQLite are closed here: a
caller that is cancelled between the lock and BEGIN would leave the lock taken forever, and a
task that is started inside a transaction would join it.

The connection is the process's and not part of what its services remember (hive/memory.py): the
ORM has one for a process, and it is closed before that memory goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException, IntegrityError, OperationalError
from tortoise.transactions import in_transaction  # noqa: TID251 - this is the one place

from hive import background, log, memory, sql
from hive.errors import Conflict, DatabaseError, DatabaseFull
from hive.sentences import Sentence

P = ParamSpec("P")
R = TypeVar("R")

logger = log.get(__name__)

MODELS = "hive.models"

_make_room: Callable[[bool], bool] | None = None  # see make_room_by
_WAL_BYTES = 8 * 1024**2  # of the journal, kept so that a full disk finds it allocated


@dataclass
class _Memory:
    refusal: Sentence | None = None  # see refuse_transactions
    is_writing: bool = False


def sqlite_url(path: Path) -> str:
    return (
        f"sqlite://{path}?synchronous=NORMAL&busy_timeout=5000"
        # What a query sorts is not written to a disk that may be full.
        f"&temp_store=MEMORY&journal_size_limit={_WAL_BYTES}"
    )


def make_room_by(make_room: Callable[[bool], bool] | None) -> None:
    """Call this before each transaction, and with True after one that found the disk full.

    It makes room where there is hardly any, with True in any case, and returns whether it did.
    """
    global _make_room  # noqa: PLW0603 - one database for the process
    _make_room = make_room


def refuse_transactions(because: Sentence | None) -> None:
    """Have each transaction fail at once with these words, until this is called with None.

    For the time that another process keeps SQLite's lock: a transaction that waits for it keeps
    the one connection, and everything else waits behind it.
    """
    memory.of(_Memory).refusal = because


def is_writing() -> bool:
    """Whether a transaction of this process has the lock just now."""
    return memory.of(_Memory).is_writing


def _require_free() -> None:
    if (refusal := memory.of(_Memory).refusal) is not None:
        raise DatabaseError(refusal)


async def open_database(url: str) -> None:
    """Open the database. Call once, before any server starts to listen."""
    try:
        await Tortoise.init(
            db_url=url, modules={"hive": [MODELS]}, _enable_global_fallback=True, use_tz=True
        )
        _translate_errors(get_connection("default"))
        await sql.ping()
    except (BaseORMException, sqlite3.Error, OSError) as error:
        # a file that is no database raises what the ORM does not translate
        await Tortoise.close_connections()
        raise DatabaseError("The database cannot be opened: %(error)s", error=error) from error
    background.begin_in(contextvars.copy_context())


def _translate_errors(connection: Any) -> None:  # noqa: ANN401 - the ORM's, of any engine
    """Have a damaged file raise what callers expect: the ORM translates some of SQLite's only."""
    for name in ("execute_insert", "execute_many", "execute_query", "execute_query_dict"):
        setattr(connection, name, _translated(getattr(connection, name)))


def _translated(method: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    @functools.wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await method(*args, **kwargs)
        except sqlite3.Error as error:
            raise OperationalError(error) from error

    return call


async def close_database() -> None:
    """Let running transactions and background tasks end, then close."""
    while background.tasks:
        await asyncio.wait(background.tasks)
    await Tortoise.close_connections()
    background.begin_in(None)


async def answers() -> bool:
    """Whether the database answers a query just now."""
    try:
        await sql.ping()
    except (BaseORMException, OSError, ValueError):
        return False
    return True


async def copy_to(target: Path) -> None:
    """Copy what SQLite has open to a private file, though its own may be gone from the disk."""
    fresh = target.with_name(f"{target.name}.new")

    def make() -> sqlite3.Connection:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return sqlite3.connect(fresh, check_same_thread=False)

    copy = await asyncio.to_thread(make)
    try:
        async with get_connection("default").acquire_connection() as connection:
            await connection.backup(copy)
    finally:
        await asyncio.to_thread(copy.close)
    await asyncio.to_thread(fresh.replace, target)


def after_commit(callback: Callable[[], None]) -> None:
    """Call back when the running transaction is committed; at once where there is none."""
    pending = background.waiting_for_commit.get()
    if pending is None:
        callback()
    else:
        pending.append(callback)


def transactional(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run `function` in one transaction that the caller's cancellation cannot tear.

    The transaction runs in a separate task: a cancelled caller stops waiting, the transaction
    still ends. A call from inside a transaction joins it. Never await network, disk or a
    process in it: SQLite has one lock.
    """

    @functools.wraps(function)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if background.waiting_for_commit.get() is not None:
            return await function(*args, **kwargs)

        async def body() -> R:
            pending: list[Callable[[], None]] = []
            background.waiting_for_commit.set(pending)
            result = await _with_room(lambda: function(*args, **kwargs), pending)
            background.waiting_for_commit.set(None)
            _call_back(pending)
            return result

        name = getattr(function, "__qualname__", "transaction")
        task = background.keep(asyncio.create_task(body(), name=name))  # noqa: TID251 - joins no transaction
        return await asyncio.shield(task)

    return wrapper


class _RehearsedError(Exception):
    """Rolls a rehearsal back."""


async def rehearse(change: Callable[[], Awaitable[R]]) -> R:
    """What a change comes to: it is made in one transaction, and rolled back again."""
    if background.waiting_for_commit.get() is not None:
        message = "a rehearsal inside of a transaction cannot be rolled back"
        raise RuntimeError(message)
    outcomes: list[R] = []

    @transactional
    async def run() -> None:
        outcomes.append(await change())
        raise _RehearsedError

    with contextlib.suppress(_RehearsedError):
        await run()
    return outcomes[-1]


def _call_back(pending: list[Callable[[], None]]) -> None:
    """All are called, even if one fails: what they announce is committed."""
    with contextlib.ExitStack() as stack:
        for callback in reversed(pending):
            stack.callback(callback)


async def _with_room(function: Callable[[], Awaitable[R]], pending: list[Callable[[], None]]) -> R:
    """Run a transaction, and once more where the disk was full and room could be made."""
    if _make_room is not None:
        _make_room(False)
    try:
        return await _in_one_transaction(function)
    except DatabaseFull:
        pending.clear()
        if _make_room is None or not _make_room(True):
            raise
        logger.warning("the disk of the database is full: its ballast is being given up")
        return await _in_one_transaction(function)


async def _in_one_transaction(function: Callable[[], Awaitable[R]]) -> R:
    _require_free()
    has_lock = False
    try:
        async with in_transaction() as connection:
            _require_free()  # this may have waited for its turn
            await sql.take_write_lock(connection)
            has_lock = memory.of(_Memory).is_writing = True
            return await function()
    except IntegrityError as error:
        raise Conflict("Something with this name exists already, or is still in use.") from error
    except (OperationalError, sqlite3.Error) as error:
        if _is_full(error):
            raise DatabaseFull(
                "The disk of the database is full: %(error)s", error=error
            ) from error
        raise DatabaseError("The database could not do this: %(error)s", error=error) from error
    finally:
        if has_lock:
            memory.of(_Memory).is_writing = False


def _is_full(error: BaseException | None) -> bool:
    """Whether SQLite met a full disk, be it before the rollback that failed for it."""
    while error is not None:
        if any(words in str(error) for words in ("database or disk is full", "disk I/O error")):
            return True
        error = error.__cause__ or error.__context__
    return False
