from __future__ import annotations

import importlib
import json
import re
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tortoise.config import AppConfig, DBUrlConfig, TortoiseConfig
from tortoise.context import TortoiseContext

import migrations
from hive import database, migrate, sql
from hive.database import MODELS
from hive.errors import DatabaseError
from hive.kinds import Access
from hive.migrate import migrate_sqlite
from hive.services import runtime
from tests import factories

UPGRADE = """
from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from hive.kinds import Access


class Migration(migrations.Migration):
    dependencies = [("hive", "{after}")]
    operations = [
        ops.RemoveField(model_name="Key", name="comment"),
        ops.AlterField(
            model_name="Repository",
            name="name",
            field=fields.CharField(max_length=120),
        ),
        ops.AlterField(
            model_name="Grant",
            name="access",
            field=fields.CharEnumField(Access, description="Access", max_length=30),
        ),
        ops.AddField(
            model_name="User", name="full_name", field=fields.CharField(max_length=10, null=True)
        ),
    ]
"""

Schema = dict[str, Any]

COUNT = 'SELECT count(*) FROM "{}"'
AGAIN = 'INSERT INTO "{0}" ({1}) SELECT {1} FROM "{0}" LIMIT 1'


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return [tuple(row) for row in connection.execute(sql)]


def schema(path: Path) -> Schema:
    """Tables, columns, foreign keys and indexes, without what is only a matter of spelling."""
    found: Schema = {}
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_") and name != "tortoise_migrations"
        ]
        for table in tables:
            found[table] = {
                # in any order: a column that a migration adds comes last
                "columns": sorted(
                    row[1:] for row in connection.execute(f'PRAGMA table_info("{table}")')
                ),
                "foreign keys": sorted(
                    row[2:] for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')
                ),
                "indexes": sorted(_indexes(connection, table)),
            }
    return found


def _indexes(connection: sqlite3.Connection, table: str) -> Iterator[tuple[bool, list[str]]]:
    for _, name, unique, _, partial in connection.execute(f'PRAGMA index_list("{table}")'):
        assert not partial
        columns = [row[2] for row in connection.execute(f'PRAGMA index_info("{name}")')]
        yield bool(unique), columns


def spelling(path: Path) -> dict[str, str]:
    """sqlite_master, with blanks made one and names of constraints taken away."""
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL"
    found = {}
    for name, text in rows(path, sql):
        plain = re.sub(r'CONSTRAINT "\w+" |/\*.*?\*/|IF NOT EXISTS ', "", text)
        parts = re.sub(r"\s+", " ", plain).replace("( ", "(").replace(" )", ")")
        found[name] = parts
    found.pop("tortoise_migrations", None)
    found.pop("sqlite_sequence", None)
    return found


async def generate(path: Path) -> None:
    """The schema as the models have it now, without any migration."""
    app = AppConfig(models=[MODELS], default_connection="default")
    config = TortoiseConfig(
        connections={"default": DBUrlConfig(f"sqlite://{path}")}, apps={"hive": app}
    )
    async with TortoiseContext() as context:
        await context.init(config=config)
        await context.generate_schemas()


async def test_migrations_make_the_schema_of_the_models(
    tmp_path: Path, migrated_database: Path
) -> None:
    await generate(tmp_path / "generated")
    assert schema(migrated_database) == schema(tmp_path / "generated")
    generated, migrated = spelling(tmp_path / "generated"), spelling(migrated_database)
    assert generated.keys() == migrated.keys()
    for table, text in generated.items():
        for clause in ("UNIQUE", "REFERENCES", "ON DELETE CASCADE", "ON DELETE RESTRICT"):
            assert text.count(clause) == migrated[table].count(clause), (table, clause)


async def test_a_second_run_has_nothing_to_do(tmp_path: Path, migrated_database: Path) -> None:
    path = tmp_path / "hive.sqlite3"
    shutil.copy(migrated_database, path)
    assert await migrate_sqlite(path) == []
    assert list(tmp_path.glob("*.before-*")) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
async def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One more migration behind the real ones, in a package of its own; returns a seeded file."""
    settings = factories.make_settings(tmp_path / "data")
    await runtime.start(settings)
    people = await factories.make_people()
    key = await factories.make_key(people.alice, share_with="team")
    accesses = {key.fingerprint: Access.FULL}
    repository = await factories.make_repository(people.alice, accesses=accesses, share_with="team")
    await factories.open_session(repository, key)
    await runtime.stop()
    package = tmp_path / "more_migrations"
    assert migrations.__file__ is not None
    real = Path(migrations.__file__).parent
    shutil.copytree(real, package, ignore=shutil.ignore_patterns("__pycache__"))
    last = max(path.stem for path in real.glob("[0-9]*.py"))
    (package / "9999_upgrade.py").write_text(UPGRADE.replace("{after}", last))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(migrate, "MIGRATIONS", "more_migrations")
    return settings.paths.database


TABLES = ("user", "group", "membership", "key", "key_share", "repository", "repository_share")
CHILDREN = ("grant", "session", "event", "audit_entry", "location", "installation")


async def test_an_upgrade_that_rebuilds_tables_loses_no_rows_and_no_indexes(upgrade: Path) -> None:
    before = schema(upgrade)
    counts = {table: rows(upgrade, COUNT.format(table)) for table in before}
    assert all(counts[table] != [(0,)] for table in (*TABLES, *CHILDREN))
    grants = rows(upgrade, 'SELECT id, repository_id, key_id, access FROM "grant"')

    assert await migrate_sqlite(upgrade) == ["9999_upgrade"]

    after = schema(upgrade)
    assert counts == {table: rows(upgrade, COUNT.format(table)) for table in after}
    assert rows(upgrade, 'SELECT id, repository_id, key_id, access FROM "grant"') == grants
    assert rows(upgrade, "PRAGMA foreign_key_check") == []
    assert rows(upgrade, "PRAGMA integrity_check") == [("ok",)]
    for table in before:
        assert after[table]["indexes"] == before[table]["indexes"], table
        assert after[table]["foreign keys"] == before[table]["foreign keys"], table
    columns = [column[0] for column in after["key"]["columns"]]
    assert "comment" not in columns
    assert "full_name" in [column[0] for column in after["user"]["columns"]]


async def test_composite_uniques_still_hold_after_an_upgrade(upgrade: Path) -> None:
    await migrate_sqlite(upgrade)
    with closing(sqlite3.connect(upgrade)) as connection:
        for table, columns in (
            ("grant", "repository_id, key_id, access, created_at"),
            ("key", "name, owner_id, type, blob, bits, fingerprint, enabled, networks, created_at"),
        ):
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                connection.execute(AGAIN.format(table, columns))


async def test_a_private_copy_of_before_is_made(upgrade: Path) -> None:
    before = schema(upgrade)
    grants = rows(upgrade, 'SELECT * FROM "grant"')
    await migrate_sqlite(upgrade)
    copy = upgrade.with_name("hive.sqlite3.before-9999_upgrade")
    assert schema(copy) == before
    assert rows(copy, 'SELECT * FROM "grant"') == grants
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "hive.sqlite3"
    path.write_text("no database " * 1000)
    with pytest.raises(DatabaseError, match="cannot be opened"):
        await migrate_sqlite(path)
    assert path.read_text() == "no database " * 1000


async def test_rows_that_were_broken_before_do_not_stop_a_start_without_upgrade(
    upgrade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "MIGRATIONS", "migrations")
    with closing(sqlite3.connect(upgrade)) as connection:
        connection.execute("DELETE FROM user WHERE name = 'bob'")
        connection.commit()
    assert await migrate_sqlite(upgrade) == []
    await database.open_database(database.sqlite_url(upgrade))
    assert await sql.problems() != []
    await database.close_database()


@pytest.fixture(autouse=True)
def _forget_package() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("more_migrations")]:
        del sys.modules[name]


async def test_a_new_database_needs_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "hive.sqlite3"
    await migrate_sqlite(path)
    assert list(tmp_path.glob("*.before-*")) == []


async def test_what_was_up_is_fine_and_without_a_schedule_not_watched(
    migrated_database: Path,
) -> None:
    """The rows of before, in the words of now, and back."""
    states = importlib.import_module("migrations.0015_states")
    with closing(sqlite3.connect(":memory:")) as connection:
        for made in (
            "CREATE TABLE repository (id INT, health, schedule_kind, last_backup_at)",
            "CREATE TABLE health_change (health, former)",
            "CREATE TABLE rule (kinds)",
        ):
            connection.execute(made)
        before = [
            (1, "up", "interval", "2026"),
            (2, "up", "none", "2026"),
            (3, "new", "none", None),
            (4, "new", "cron", None),
            (5, "down", "cron", None),
            (6, "paused", "none", None),
        ]
        connection.executemany("INSERT INTO repository VALUES (?, ?, ?, ?)", before)
        connection.execute("INSERT INTO health_change VALUES ('up', 'down'), ('late', 'up')")
        kinds = '["down", "repository shrunk"]'
        connection.execute("INSERT INTO rule VALUES (?)", [kinds])
        health = "SELECT health FROM repository ORDER BY id"
        for statement in states.FORWARD:
            connection.execute(statement)
        now = ["fine", "unwatched", "unwatched", "new", "down", "paused"]
        assert [one for (one,) in connection.execute(health)] == now
        changes = connection.execute("SELECT health, former FROM health_change").fetchall()
        assert changes == [("fine", "down"), ("late", "fine")]
        ((wanted,),) = connection.execute("SELECT kinds FROM rule").fetchall()
        assert json.loads(wanted) == [
            *("down", "repository shrunk", "repository went back", "content gone")
        ]
        for statement in states.BACKWARD:
            connection.execute(statement)
        assert [one for (one,) in connection.execute(health)] == [one[1] for one in before]
    assert not rows(migrated_database, "SELECT 1 FROM repository WHERE health = 'up'")
