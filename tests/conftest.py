"""Fixtures that every test may use; what makes users, keys and repositories is in factories."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from hive import clock
from hive.config import Settings
from hive.migrate import migrate_sqlite
from hive.services import runtime
from tests import factories
from tests.factories import People

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("hive", deadline=None)
hypothesis.settings.load_profile("hive")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HIVE_CONFIG", "HIVE_DATA_DIR", "HIVE_DEFAULT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield
    clock.use(None)


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the newest schema, made once: copying it is faster than migrating."""
    path = tmp_path_factory.mktemp("migrated") / "hive.sqlite3"
    asyncio.run(migrate_sqlite(path))
    return path


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path) -> Settings:
    """Settings with a data directory of its own, whose database is there already."""
    made = factories.make_settings(tmp_path / "data")
    made.paths.data_dir.mkdir(mode=0o700)
    shutil.copy(migrated_database, made.paths.database)
    return made


@pytest.fixture
async def hive(settings: Settings) -> AsyncIterator[Settings]:
    """The services, started."""
    await runtime.start(settings)
    yield settings
    await runtime.stop()


@pytest.fixture
async def people(hive: Settings) -> People:
    """The cast: alice, bob in her group `team`, charlie in none, and an administrator."""
    return await factories.make_people()
