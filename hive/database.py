"""Opening the database, cancellation-safe transactions, background tasks.

The only file that knows transactions. Two traps of tortoise-orm on SQLite are closed here: a
caller that is cancelled between the lock and BEGIN would leave the lock taken for ever, and a
task that is started inside a transaction would join it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException, IntegrityError, OperationalError
from tortoise.transactions import in_transaction  # noqa: TID251 - this is the one place

from hive import log
from hive.errors import Conflict, DatabaseError, DatabaseFull

P = ParamSpec("P")
R = TypeVar("R")

DriverError = BaseORMException

logger = log.get(__name__)

MODELS = "hive.models"
_LOG_TRIES, _LOG_PAUSE = 20, 0.25

_pending: contextvars.ContextVar[list[Callable[[], None]] | None] = contextvars.ContextVar(
    "hive_after_commit", default=None
)
_tasks: set[asyncio.Task[Any]] = set()
_base_context: contextvars.Context | None = None
_make_room: Callable[[bool], bool] | None = None  # see make_room_by
_WAL_BYTES = 8 * 1024**2  # of the journal, kept so that a full disk finds it allocated


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


async def open_database(url: str) -> None:
    """Open the database. Call once, before any server starts to listen."""
    global _base_context  # noqa: PLW0603 - one database for the process
    try:
        await Tortoise.init(
            db_url=url, modules={"hive": [MODELS]}, _enable_global_fallback=True, use_tz=True
        )
        _translate_errors(get_connection("default"))
        await get_connection("default").execute_query("SELECT 1")
    except (BaseORMException, sqlite3.Error, OSError) as error:
        # a file that is no database raises what the ORM does not translate
        await Tortoise.close_connections()
        raise DatabaseError(f"The database cannot be opened: {error}") from error
    _base_context = contextvars.copy_context()


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
    global _base_context  # noqa: PLW0603 - see open_database
    while _tasks:
        await asyncio.wait(_tasks)
    await Tortoise.close_connections()
    _base_context = None


async def answers() -> bool:
    """Whether the database answers a query just now."""
    try:
        await get_connection("default").execute_query("SELECT 1")
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


async def problems() -> list[str]:
    """What SQLite finds wrong in its own file; nothing for other engines, which check theirs."""
    connection = get_connection("default")
    if connection.capabilities.dialect != "sqlite":
        return []
    try:
        rows = await connection.execute_query_dict("PRAGMA quick_check(20)")
        broken = await connection.execute_query_dict("PRAGMA foreign_key_check")
    except (BaseORMException, sqlite3.Error) as error:
        return [str(error)]
    found = [str(row["quick_check"]) for row in rows if row["quick_check"] != "ok"]
    if broken:
        found.append(f"{len(broken)} rows refer to rows that are gone")
    return found


async def forget_deleted_content() -> None:
    """From now on, have SQLite overwrite what this process replaces and deletes."""
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        await connection.execute_query("PRAGMA secure_delete = ON")


async def wipe_deleted_content() -> None:
    """Rewrite SQLite's file without what was deleted before; this takes long on large ones."""
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        await connection.execute_query("VACUUM")
    await wipe_log()


async def wipe_log() -> None:
    """Empty SQLite's write-ahead log, which holds former pages; others may be reading just now."""
    connection = get_connection("default")
    if connection.capabilities.dialect != "sqlite":
        return
    for _ in range(_LOG_TRIES):
        rows = await connection.execute_query_dict("PRAGMA wal_checkpoint(TRUNCATE)")
        if not rows[0]["busy"]:
            return
        await asyncio.sleep(_LOG_PAUSE)
    logger.warning("the log of the database is in use: former content may still be in it")


def spawn(coroutine: Coroutine[Any, Any, R], *, name: str) -> asyncio.Task[R]:
    """Start a background task that never joins the caller's transaction."""
    context = _base_context.copy() if _base_context is not None else contextvars.copy_context()
    context.run(_pending.set, None)
    log.keep_context(context)  # its log lines still name the session that started it
    return _keep(asyncio.create_task(coroutine, name=name, context=context))  # noqa: TID251


async def unbroken(coroutine: Coroutine[Any, Any, R], *, name: str) -> R:
    """Await work of several steps that the caller's cancellation must not stop half way."""
    return await asyncio.shield(spawn(coroutine, name=name))


def _keep(task: asyncio.Task[R]) -> asyncio.Task[R]:
    _tasks.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("background task failed", task=task.get_name(), error=repr(error))


def after_commit(callback: Callable[[], None]) -> None:
    """Call back when the running transaction is committed; at once where there is none."""
    pending = _pending.get()
    if pending is None:
        callback()
    else:
        pending.append(callback)


def transactional(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run `function` in one transaction that the caller's cancellation cannot tear.

    The transaction runs in a task of its own: a cancelled caller stops waiting, the transaction
    still ends. A call from inside a transaction joins it. Never await network, disk or a
    process in it: SQLite has one lock.
    """

    @functools.wraps(function)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if _pending.get() is not None:
            return await function(*args, **kwargs)

        async def body() -> R:
            pending: list[Callable[[], None]] = []
            _pending.set(pending)
            result = await _with_room(lambda: function(*args, **kwargs), pending)
            _pending.set(None)
            _call_back(pending)
            return result

        name = getattr(function, "__qualname__", "transaction")
        task = _keep(asyncio.create_task(body(), name=name))  # noqa: TID251 - joins no transaction
        return await asyncio.shield(task)

    return wrapper


def _call_back(pending: list[Callable[[], None]]) -> None:
    """All are called, even where one fails: what they tell of is committed."""
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
    try:
        async with in_transaction() as connection:
            if connection.capabilities.dialect == "sqlite":
                # Take the write lock now, so that busy_timeout applies.
                await connection.execute_query("UPDATE tortoise_migrations SET id=id WHERE 0")
            return await function()
    except IntegrityError as error:
        raise Conflict(
            "Something with this name or relation exists already, or is still in use."
        ) from error
    except (OperationalError, sqlite3.Error) as error:
        if _is_full(error):
            raise DatabaseFull(f"The disk of the database is full: {error}") from error
        raise DatabaseError(f"The database could not do this: {error}") from error


def _is_full(error: BaseException | None) -> bool:
    """Whether SQLite met a full disk, be it before the rollback that failed for it."""
    while error is not None:
        if any(words in str(error) for words in ("database or disk is full", "disk I/O error")):
            return True
        error = error.__cause__ or error.__context__
    return False
