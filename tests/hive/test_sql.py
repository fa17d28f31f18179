"""SQL by hand stands in one file, and has a path for each engine."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from hive import sql
from hive.config.settings import Settings
from hive.models import Installation, Repository
from hive.sql import Dialect

ROOT = Path(__file__).parents[2]
_TIME = datetime(2026, 11, 30, 12, 30, 5, 250, tzinfo=UTC)
_BY_HAND = {"execute_query", "execute_query_dict", "execute_script", "execute", "executescript"}
_ELSEWHERE = {
    "hive/sql.py",
    "hive/migrate.py",  # the schema
    "hive/schema_version.py",  # whether it is the newest, before the connection
    "hive/database_file.py",  # the file of SQLite from outside, beside the open connection
    "hive/borg/replay.py",  # a scratch file that is no part of the database
}


def test_sql_by_hand_stands_in_one_file() -> None:
    found = []
    for directory in ("hive", "sshgate", "web"):
        for path in (ROOT / directory).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if name in _ELSEWHERE:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                used = ""
                if isinstance(node, ast.Attribute | ast.Name):
                    used = node.attr if isinstance(node, ast.Attribute) else node.id
                is_pragma = isinstance(node, ast.Constant) and str(node.value).startswith("PRAGMA ")
                if used in {*_BY_HAND, "RawSQL"} or is_pragma:
                    found.append(f"{name}: {ast.unparse(node)}")
    assert found == [], "SQL belongs in hive/sql.py"


async def test_the_open_database_says_which_engine_it_is(hive: Settings) -> None:
    assert sql.dialect() == Dialect.SQLITE
    await sql.ping()
    assert await sql.problems() == []


async def test_a_time_of_sqlite_is_read_as_the_orm_reads_it(hive: Settings) -> None:
    await Installation.all().update(created_at=_TIME)
    (row,) = await Installation.all().annotate(made=sql.stored("created_at")).values("made")
    assert isinstance(row["made"], str)
    assert sql.moment(row["made"]) == _TIME == (await Installation.get()).created_at


@pytest.mark.parametrize(
    "returned",
    [
        "2026-11-30 12:30:05.000250+00:00",  # SQLite
        _TIME,  # PostgreSQL
        _TIME.astimezone(timezone(timedelta(hours=1))),
        _TIME.replace(tzinfo=None),  # MySQL
    ],
)
def test_times_of_all_engines_are_read(returned: str | datetime) -> None:
    found = sql.moment(returned)
    assert found == _TIME
    assert found.tzinfo is not None


@pytest.mark.parametrize("engine", [Dialect.SQLITE, Dialect.POSTGRES])
def test_names_are_quoted_by_the_standard(engine: Dialect) -> None:
    assert sql.stored("at", engine).sql == '"at"'
    assert '"session" WHERE "repository_id" = "repository"."id"' in _newest(engine)


def test_mysql_takes_no_name_for_a_text() -> None:
    assert sql.stored("at", Dialect.MYSQL).sql == "`at`"
    assert '"' not in _newest(Dialect.MYSQL)
    assert "`need` <> 'status'" in _newest(Dialect.MYSQL)


def _newest(engine: Dialect) -> str:
    return sql.newest_session("status", engine).sql


def test_nothing_but_a_word_gets_into_a_statement() -> None:
    with pytest.raises(ValueError, match="status"):
        sql.newest_session("status' OR 1=1", Dialect.SQLITE)


async def test_the_newest_session_is_looked_up_in_an_index(hive: Settings) -> None:
    query = Repository.all().annotate(newest=sql.newest_session("status")).values("newest").sql()
    plan = await Repository._meta.db.execute_query_dict(f"EXPLAIN QUERY PLAN {query}")
    steps = " ".join(str(row["detail"]) for row in plan)
    assert "repository_id=?" in steps
    assert "SCAN session" not in steps
