"""All SQL that is written by hand, with a path for each engine; the ORM writes the rest.

SQLite is what is used and tested. The paths of PostgreSQL and MySQL (MariaDB) are written by
their manuals and were not run against a server yet. Not here: the schema (hive/migrate.py), the
file of SQLite seen from outside (hive/database_file.py), and the scratch file of
hive/borg/replay.py, which does not belong to the database.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException
from tortoise.expressions import Case, Q, RawSQL, When  # noqa: TID251 - this is the one place

from hive import log

logger = log.get(__name__)

_LOG_TRIES, _LOG_PAUSE = 20, 0.25


class Dialect(StrEnum):
    """The engines, by the names that the ORM has for them."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    MYSQL = "mysql"

    def quoted(self, name: str) -> str:
        """The name of a table or column, even if it is a keyword."""
        return f"`{name}`" if self == Dialect.MYSQL else f'"{name}"'


def dialect() -> Dialect:
    """The engine of the open database."""
    return Dialect(get_connection("default").capabilities.dialect)


# --- parts of queries -----------------------------------------------------------------------


def stored(column: str, engine: Dialect | None = None) -> RawSQL:
    """A column just as the driver returns it; read times with `moment`.

    For thousands of rows: the ORM takes 50 times as long to make times of them.
    """
    return RawSQL((engine or dialect()).quoted(column))


def moment(value: str | datetime) -> datetime:
    """A time that `stored` returned: SQLite keeps text, PostgreSQL returns it with its time zone,
    MySQL without one, in UTC.
    """
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def ids(numbers: Iterable[int]) -> RawSQL:
    """The ids of rows, for `id__in`: written into the query, for they are numbers.

    For lists as long as a page: the ORM takes longer over so many parameters than the database
    takes over the query.
    """
    return RawSQL(f"({','.join(str(int(one)) for one in numbers) or 'NULL'})")


def newest_session(but_not: str, engine: Dialect | None = None) -> RawSQL:
    """The id of the newest session of each `repository`, but for those of one need.

    One step in an index for each repository, however long its history is; grouping reads all of it.
    """
    quoted = (engine or dialect()).quoted
    session, repository, key = quoted("session"), quoted("repository"), quoted("id")
    if not but_not.isalpha():
        raise ValueError(but_not)
    return RawSQL(
        f"(SELECT {key} FROM {session}"  # noqa: S608 - names of this function and one word
        f" WHERE {quoted('repository_id')} = {repository}.{key} AND {quoted('need')} <> '{but_not}'"
        f" ORDER BY {quoted('started_at')} DESC, {key} DESC LIMIT 1)"
    )


def case(*choices: tuple[Q, Any], default: int) -> Case:
    """The value of the first condition that holds of a row; the ORM's hints know no numbers."""
    return Case(*(When(fits, then=value) for fits, value in choices), default=default)  # type: ignore[arg-type]


def count_of_all() -> RawSQL:
    """How many rows a query finds, in each of those that its limit leaves."""
    return RawSQL("(COUNT(*) OVER ())")


def grown(since: datetime, then: datetime, now: datetime, engine: Dialect | None = None) -> RawSQL:
    """By how much each `repository` grew from `then` to `now`, by what was measured after `since`.

    0 where that cannot be told.
    """
    return RawSQL(f"(coalesce({change(since, then, now, engine).sql}, 0))")


def change(since: datetime, then: datetime, now: datetime, engine: Dialect | None = None) -> RawSQL:
    """The same, but NULL where it cannot be told. Two steps in an index for each repository."""
    end, begin = (_size_at(since, at, engine or dialect()) for at in (now, then))
    return RawSQL(f"({end} - {begin})")


def _size_at(since: datetime, at: datetime, engine: Dialect) -> str:
    quoted = engine.quoted
    time = quoted("at")
    return (
        f"(SELECT {quoted('size_bytes')} FROM {quoted('statistic')}"  # noqa: S608 - no foreign text
        f" WHERE {quoted('repository_id')} = {quoted('repository')}.{quoted('id')}"
        f" AND {time} >= '{_literal(since, engine)}' AND {time} <= '{_literal(at, engine)}'"
        f" ORDER BY {time} DESC, {quoted('id')} DESC LIMIT 1)"
    )


def _literal(at: datetime, engine: Dialect) -> str:
    """A time as the engine keeps it, to compare with: MySQL without a time zone, in UTC."""
    utc = at.astimezone(UTC)
    return (utc.replace(tzinfo=None) if engine == Dialect.MYSQL else utc).isoformat(" ")


def owner_name(engine: Dialect | None = None) -> RawSQL:
    """The name of the owner of each `repository`."""
    return _name_of("user", "owner_id", engine or dialect())


def location_name(engine: Dialect | None = None) -> RawSQL:
    """The name of the location of each `repository`."""
    return _name_of("location", "location_id", engine or dialect())


def _name_of(table: str, column: str, engine: Dialect) -> RawSQL:
    quoted = engine.quoted
    return RawSQL(
        f"(SELECT {quoted('name')} FROM {quoted(table)}"  # noqa: S608 - our names
        f" WHERE {quoted(table)}.{quoted('id')} = {quoted('repository')}.{quoted(column)})"
    )


def all_tags(engine: Dialect | None = None) -> RawSQL:
    """The tags of each `repository` in one text, to be compared with others."""
    return _joined("repository_tag", "tag", engine or dialect())


def all_groups(engine: Dialect | None = None) -> RawSQL:
    """The ids of the groups that each `repository` is shared with, in the same way."""
    return _joined("repository_share", "group_id", engine or dialect())


def nothing() -> RawSQL:
    """The same for every row."""
    return RawSQL("(0)")


def _joined(table: str, column: str, engine: Dialect) -> RawSQL:
    quoted = engine.quoted
    what = quoted(column)
    together = (
        f"string_agg(CAST({what} AS text), ' ' ORDER BY {what})"
        if engine == Dialect.POSTGRES
        else f"group_concat({what} ORDER BY {what} SEPARATOR ' ')"
        if engine == Dialect.MYSQL
        else f"group_concat({what}, ' ')"
    )
    source = quoted(table)
    mine = f"{quoted('repository_id')} = {quoted('repository')}.{quoted('id')}"
    if engine == Dialect.SQLITE:  # older ones sort in a subquery alone
        source = f"(SELECT {what} FROM {source} WHERE {mine} ORDER BY {what})"  # noqa: S608
        mine = "1"
    return RawSQL(f"(coalesce((SELECT {together} FROM {source} WHERE {mine}), ''))")  # noqa: S608


def first_tag(engine: Dialect | None = None) -> RawSQL:
    """The first tag of each `repository` in the order of letters, empty where there is none."""
    return RawSQL(f"(coalesce({_least_tag(engine or dialect())}, ''))")


def has_no_tag(engine: Dialect | None = None) -> RawSQL:
    """1 for each `repository` without a tag, 0 for the others."""
    return RawSQL(f"(CASE WHEN {_least_tag(engine or dialect())} IS NULL THEN 1 ELSE 0 END)")


def _least_tag(engine: Dialect) -> str:
    quoted = engine.quoted
    return (
        f"(SELECT min({quoted('tag')}) FROM {quoted('repository_tag')}"  # noqa: S608 - our names
        f" WHERE {quoted('repository_id')} = {quoted('repository')}.{quoted('id')})"
    )


# --- statements -----------------------------------------------------------------------------


async def ping() -> None:
    """Ask the database something; raises what the driver raises where it does not answer."""
    await get_connection("default").execute_query("SELECT 1")


async def backup_days(repository_ids: Iterable[int], since: int) -> Sequence[Sequence[int]]:
    """Repository, day, made, late, due and failed of each day that is kept since this one.

    A page has more than a thousand of these, which the ORM would copy value by value.
    """
    engine = dialect()
    columns = ("repository_id", "day", "made", "late", "due", "failed")
    names = ", ".join(engine.quoted(name) for name in columns)
    _, rows = await get_connection("default").execute_query(
        f"SELECT {names} FROM {engine.quoted('backup_day')}"  # noqa: S608 - our names and numbers
        f" WHERE {engine.quoted('repository_id')} IN {ids(repository_ids).sql}"
        f" AND {engine.quoted('day')} >= {int(since)}"
    )
    found: Any = rows  # of dicts where the engine is MySQL, else of what is read like tuples
    return [tuple(row.values()) for row in found] if engine == Dialect.MYSQL else found


async def take_write_lock(connection: Any) -> None:  # noqa: ANN401 - the ORM's, of any engine
    """Take SQLite's write lock at the beginning of a transaction, so that busy_timeout applies.

    Other engines lock rows.
    """
    if connection.capabilities.dialect == Dialect.SQLITE:
        await connection.execute_query("UPDATE tortoise_migrations SET id=id WHERE 0")


async def problems() -> list[str]:
    """What SQLite finds wrong in its own file; nothing for other engines, which check theirs."""
    if dialect() != Dialect.SQLITE:
        return []
    connection = get_connection("default")
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
    if dialect() == Dialect.SQLITE:
        await get_connection("default").execute_query("PRAGMA secure_delete = ON")


async def wipe_deleted_content() -> None:
    """Rewrite SQLite's file without what was deleted before; this takes long on large ones."""
    if dialect() == Dialect.SQLITE:
        await get_connection("default").execute_query("VACUUM")
    await wipe_log()


async def wipe_log() -> None:
    """Empty SQLite's write-ahead log, which holds former pages; others may be reading just now."""
    if dialect() != Dialect.SQLITE:
        return
    for _ in range(_LOG_TRIES):
        rows = await get_connection("default").execute_query_dict("PRAGMA wal_checkpoint(TRUNCATE)")
        if not rows[0]["busy"]:
            return
        await asyncio.sleep(_LOG_PAUSE)
    logger.warning("the log of the database is in use: former content may still be in it")
