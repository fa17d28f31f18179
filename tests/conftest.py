"""Fixtures that every test may use; what makes users, keys and repositories is in factories."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from argon2 import PasswordHasher
from tortoise.apps import Apps

from hive import background, clock, memory, migrate
from hive.config.settings import Settings
from hive.models import Installation
from hive.services import runtime
from hive.services.accounts import passwords
from hive.services.demo import seeding
from hive.services.demo.seeding import Demo
from tests import factories, orm, schema
from tests.factories import People

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("hive", deadline=None)
hypothesis.settings.load_profile("hive")

_TIME_LIMIT = pytest.StashKey[object]()
_RUN_PREFIX = "hive-tests-"
# what is set for Borg Hive where the tests run; these three are for the tests themselves
_IS_SETTING = re.compile(r"HIVE_(?!TEST_|BENCH_|SIMULATION_)")


_A_DAY = 24 * 3600


@pytest.hookimpl(tryfirst=True)  # before the directory is asked for
def pytest_configure(config: pytest.Config) -> None:
    """Give each run a directory of its own, which no later run stumbles over.

    pytest itself tidies up after former runs, and fails where one of them was killed with
    something mounted.
    """
    if config.option.basetemp is not None:
        return
    former = Path(tempfile.gettempdir()).glob(f"{_RUN_PREFIX}*")
    for directory in [path for path in former if path.stat().st_mtime < time.time() - _A_DAY]:
        shutil.rmtree(directory, ignore_errors=True)
    config.option.basetemp = tempfile.mkdtemp(prefix=_RUN_PREFIX)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the directory of a run that failed."""
    basetemp = Path(session.config.option.basetemp)
    if exitstatus == 0 and basetemp.name.startswith(_RUN_PREFIX):
        shutil.rmtree(basetemp, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before the long ones are deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with many variants, leave all but a few to the long set."""
    variants: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("varied") and not item.get_closest_marker("long"):
            variants.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for several in variants.values():
        (count,) = several[0].get_closest_marker("varied").args  # type: ignore[union-attr]
        kept = {len(several) * number // count for number in range(count)}
        for number, item in enumerate(several):
            if number not in kept:
                item.add_marker(pytest.mark.long)


@pytest.hookimpl(wrapper=True, trylast=True)  # within what keeps the output of the test
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Where a test hung, show what its coroutines were waiting for as well."""
    try:
        yield
    except pytest.fail.Exception as error:
        is_coroutine = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if is_coroutine and "from pytest-timeout" in str(error):
            for task in asyncio.all_tasks(asyncio.get_event_loop()):
                task.print_stack()
        raise


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> Generator[None, Any, Any]:
    item.stash[_TIME_LIMIT] = settings
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Cleaning up has its time for itself: what made a test hang may make that hang, too."""
    if (limit := item.stash.get(_TIME_LIMIT, None)) is not None:
        item.ihook.pytest_timeout_cancel_timer(item=item)
        item.ihook.pytest_timeout_set_timer(item=item, settings=limit)
    yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if _IS_SETTING.match(name)]:
        monkeypatch.delenv(name, raising=False)
    before = memory._memory  # of a house that several tests share
    yield
    clock.use(None)
    if memory._memory is not before:
        memory.end()  # of services that a test left running


@pytest.fixture
def remembering() -> None:
    """The memory that services start with, for a test that starts none."""
    memory.begin()


@pytest.fixture(autouse=True)
def _quick_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that start on a new directory; tests of the migrations import what they test."""
    monkeypatch.setattr(migrate, "migrate_sqlite", schema.migrate_from_copy)


@pytest.fixture(scope="session", autouse=True)
def _quick_starts() -> Iterator[None]:
    """Spare most of what starting the services before each test takes.

    No file has to outlive the machine here: what is written need not be on the disk at once.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
        monkeypatch.setattr(Apps, "_build_initial_querysets", orm.derive_once)
        yield


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))
    passwords._nobodys_hash.cache_clear()
    yield
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(scope="session")
def migrated_database() -> Path:
    """A database with the newest schema, to be copied."""
    return schema.migrated_database()


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path) -> Settings:
    """Settings with a data directory of its own, whose database is there already."""
    made = factories.make_settings(tmp_path / "data")
    made.paths.data_dir.mkdir(mode=0o700)
    shutil.copy(migrated_database, made.paths.database)
    return made


@dataclass(frozen=True)
class Populated:
    """A data directory with the cast in its database, to be copied."""

    directory: Path
    people: People


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Populated:
    """Made once in a run: most tests want the cast, and making it takes longer than they do."""
    made = factories.make_settings(tmp_path_factory.mktemp("populated") / "data")
    made.paths.data_dir.mkdir(mode=0o700)
    shutil.copy(migrated_database, made.paths.database)
    return Populated(made.paths.data_dir, asyncio.run(_populate(made)))


async def _populate(settings: Settings) -> People:
    await runtime.start(settings)
    made = await factories.make_people()
    await Installation.all().update(node=None)  # each copy takes a name for itself
    await runtime.stop()
    settings.paths.node.unlink()
    return made


@pytest.fixture
async def hive(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Settings]:
    """The services, started; where a test asks for `people`, on a copy that holds them."""
    if "people" in request.fixturenames:
        directory = request.getfixturevalue("populated").directory
        shutil.copytree(directory, settings.paths.data_dir, dirs_exist_ok=True)
    await runtime.start(settings)
    yield settings
    await _end_what_a_failed_test_left()
    await runtime.stop()


async def _end_what_a_failed_test_left() -> None:
    """Tasks that go on for ever would keep the services, and every test after this one."""
    if background.tasks:
        _, left = await asyncio.wait(set(background.tasks), timeout=60)
        for task in left:
            task.cancel()


@pytest.fixture
def people(hive: Settings, populated: Populated) -> People:
    """The cast: alice, bob in her group `team`, charlie in none, and an administrator."""
    return populated.people


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody can reach, unlike pytest's own."""
    place = Path(tempfile.mkdtemp(prefix="hive-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
async def demo_hive(hive: Settings) -> Demo:
    """The services on the made-up hive of `hive demo`: 33 repositories with 90 days of history."""
    return await seeding.seed(password=factories.PASSWORD)
