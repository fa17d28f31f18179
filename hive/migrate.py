"""Schema migrations that lose nothing on SQLite.

tortoise-orm rebuilds a table to change it. With foreign keys on, dropping the old table deletes
the rows that refer to it; and the rebuild forgets indexes and composite UNIQUEs. Both are put
right here, and a copy of the database is made before each upgrade.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tortoise.config import AppConfig, DBUrlConfig, TortoiseConfig
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.fields import Field
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_editor import BaseSchemaEditor, SqliteSchemaEditor
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

from hive import log
from hive.database import MODELS
from hive.errors import DatabaseError

logger = log.get(__name__)

MIGRATIONS = "migrations"

# For `tortoise makemigrations` (CONTRIBUTING.md); no database is touched by that.
TORTOISE = {
    "connections": {"default": "sqlite://:memory:"},
    "apps": {
        "hive": {"models": [MODELS], "default_connection": "default", "migrations": MIGRATIONS}
    },
}


class _SafeSqliteSchemaEditor(SqliteSchemaEditor):
    """Puts back the indexes and UNIQUEs that a table rebuild drops."""

    _one_to_one: frozenset[str] = frozenset()  # columns of the table that is made again

    async def _remake_table(
        self,
        model: type[Model],
        create_field: Field[Any] | None = None,
        delete_field: Field[Any] | None = None,
        alter_fields: list[tuple[Field[Any], Field[Any]]] | None = None,
    ) -> None:
        table = model._meta.db_table  # noqa: SLF001 - the ORM's own name for it
        indexes = await self._rows(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type='index' AND tbl_name=? AND sql IS NOT NULL",
            [table],
        )
        uniques = await self._composite_uniques(table)
        self._one_to_one = _one_to_one(model)
        await super()._remake_table(model, create_field, delete_field, alter_fields)
        self._one_to_one = frozenset()
        columns = {row["name"] for row in await self._rows(f'PRAGMA table_info("{table}")')}
        for index in indexes:
            await self._restore_index(index["sql"])
        for names in uniques:
            if set(names) <= columns:
                quoted = ", ".join(f'"{name}"' for name in names)
                await self._run_sql(
                    f'CREATE UNIQUE INDEX "uid_{table}_{"_".join(names)}" ON "{table}" ({quoted})'
                )

    def _get_field_sql(self, db_field: str, *args: Any, **given: Any) -> str:  # noqa: ANN401 - the ORM's
        """As the ORM does, but for a one-to-one relation: its column is unique."""
        if db_field in self._one_to_one:
            given["unique"] = True
        sql: str = super()._get_field_sql(db_field, *args, **given)
        return sql

    async def _rows(self, sql: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        _, rows = await self.client.execute_query(sql, values)
        return [dict(row) for row in rows]

    async def _composite_uniques(self, table: str) -> list[list[str]]:
        """Column names of each UNIQUE over several columns that the table itself declares."""
        found = []
        for index in await self._rows(f'PRAGMA index_list("{table}")'):
            columns = await self._rows(f'PRAGMA index_info("{index["name"]}")')
            if index["origin"] == "u" and len(columns) > 1:
                found.append([column["name"] for column in columns])
        return found

    async def _restore_index(self, sql: str) -> None:
        try:
            await self._run_sql(sql)
        except OperationalError as error:
            # An index over a column that this migration removed goes with it.
            if "no such column" not in str(error):
                raise


def _one_to_one(model: type[Model]) -> frozenset[str]:
    meta = model._meta  # noqa: SLF001 - the ORM's own name for it
    return frozenset(str(meta.fields_map[name].source_field) for name in meta.o2o_fields)


class _Tables(StateApps):
    """The classes of all tables at one moment of an upgrade, made when one asks for them."""

    def __init__(
        self, connections: dict[str, str], models: dict[tuple[str, str], ModelState]
    ) -> None:
        super().__init__(default_connections=connections)
        self._empty = StateApps(default_connections=connections, connections=self._connections)
        self._models = models
        self._made: dict[str, dict[str, type[Model]]] | None = None

    @property
    def apps(self) -> dict[str, dict[str, type[Model]]]:
        if self._made is None:
            models = {key: model.clone() for key, model in self._models.items()}
            self._made = self._empty.clone(model_states=models).apps
        return self._made

    @apps.setter
    def apps(self, apps: dict[str, dict[str, type[Model]]]) -> None:
        self._made = apps

    @property
    def is_made(self) -> bool:
        return self._made is not None


class _State(State):
    """What the tables are at one moment of an upgrade.

    The ORM itself makes the classes of all of them before and after each operation, also of those
    that were applied long ago, and looks at few.
    """

    apps: _Tables

    @classmethod
    def of(cls, connections: dict[str, str], models: dict[tuple[str, str], ModelState]) -> _State:
        return cls(models=models, apps=_Tables(connections, models))

    def reload_model(self, app_label: str, model_name: str) -> None:
        if self.apps.is_made:
            super().reload_model(app_label, model_name)

    def reload_models(self, model_tuples: Iterable[tuple[str, str]]) -> None:
        if self.apps.is_made:
            super().reload_models(model_tuples)

    def validate_relations_initialized(self) -> None:
        if self.apps.is_made:
            super().validate_relations_initialized()

    def clone(self) -> _State:
        models = {key: model.clone() for key, model in self.models.items()}
        return self.of(self.apps._default_connections, models)  # noqa: SLF001 - as the ORM does


class _SafeExecutor(MigrationExecutor):
    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        """As the ORM does, but with our state."""
        connections = {
            label: app.get("default_connection", "default")
            for label, app in self.loader.apps_config.items()
        }
        state = _State.of(connections, {})
        for key in self._full_plan():
            if key == upto:
                break
            migration = self.loader.graph.nodes[key]
            if key in applied and migration is not None:
                await migration.apply(state, dry_run=True, schema_editor=None)
        return state

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:
        editor = super()._schema_editor(atomic, collect_sql)
        if isinstance(editor, SqliteSchemaEditor):
            return _SafeSqliteSchemaEditor(self.connection, atomic=atomic, collect_sql=collect_sql)
        return editor


async def migrate_sqlite(path: Path, *, upto: str = "__latest__") -> list[str]:
    """Bring the database file at `path` to the newest schema; returns the migrations applied.

    Where there is a schema already, a copy `<path>.before-<migration>` is made first.
    """
    with _one_at_a_time(path):
        _require_database(path)
        applied = await _migrate(f"sqlite://{path}?foreign_keys=OFF", path, upto)
        _make_private(path)
    return applied


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """A command and the server may start on a new data directory at the same moment.

    Waiting blocks; nothing else runs yet when this is called.
    """
    lock = path.with_name(f".{path.name}.migrating")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


async def migrate_url(url: str) -> list[str]:
    """The same for another database engine; copies are the administrator's business there."""
    return await _migrate(url, None, "__latest__")


async def _migrate(url: str, path: Path | None, upto: str) -> list[str]:
    app = AppConfig(models=[MODELS], default_connection="default", migrations=MIGRATIONS)
    config = TortoiseConfig(connections={"default": DBUrlConfig(url)}, apps={"hive": app})
    existed = path is not None and _has_content(path)  # opening makes it
    async with TortoiseContext() as context:
        await context.init(config=config)
        connection = context.connections.get("default")
        executor = _SafeExecutor(connection, {"hive": app.to_dict()})
        targets = [MigrationTarget("hive", upto)]
        await executor.loader.build_graph()
        await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))  # noqa: SLF001 - no public way
        names = [step.migration.name for step in await executor.plan(targets)]
        if names and existed and path is not None:
            _copy(path, names[0])
        await executor.migrate(targets)
        if path is not None and names:
            broken = await connection.execute_query_dict("PRAGMA foreign_key_check")
            if broken:
                raise DatabaseError(
                    "After the upgrade %(count)s rows refer to rows that are gone. The copy from"
                    " before the upgrade is %(path)s.",
                    count=len(broken),
                    path=_copy_path(path, names[0]),
                )
        for name in names:
            logger.info("migration applied", migration=name)
        return names


def _require_database(path: Path) -> None:
    """Raise DatabaseError if the file exists and is not a database: the ORM would wait forever."""
    if not _has_content(path):
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(
            "The database %(path)s cannot be opened: %(error)s.", path=path, error=error
        ) from error


def _make_private(path: Path) -> None:
    path.chmod(0o600)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _copy_path(path: Path, migration: str) -> Path:
    return path.with_name(f"{path.name}.before-{migration}")


def _copy(path: Path, migration: str) -> None:
    target = _copy_path(path, migration)
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM INTO ?", [str(target)])
    finally:
        connection.close()
    target.chmod(0o600)
