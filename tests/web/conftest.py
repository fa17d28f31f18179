from __future__ import annotations

import functools
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hive import clock
from hive.config.settings import Settings
from hive.kinds import Role, Source
from hive.services import runtime
from hive.services.accounts import users
from hive.services.permissions import SYSTEM, Actor
from tests.statements import recorded
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.compiled import Compiled
from web import rendering
from web.app import create_app
from web.templating import Templates

_COMPILED = Compiled()


@pytest.fixture(autouse=True)
def _compiled_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile a template once in a run, not in each application."""
    made = functools.partial(Templates, bytecode_cache=_COMPILED)
    monkeypatch.setattr(rendering, "Templates", made)


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Sections of the configuration, for the module that says so."""
    return {}


@pytest.fixture
async def settings(
    tmp_path: Path, migrated_database: Path, more_settings: dict[str, Any]
) -> AsyncIterator[Settings]:
    """A hive in a directory of its own, with nobody in it."""
    (tmp_path / "data").mkdir(mode=0o700)
    shutil.copy(migrated_database, tmp_path / "data/hive.sqlite3")
    given = {"server": {"data_dir": str(tmp_path / "data")}, **more_settings}
    made = Settings.model_validate(given)
    await runtime.start(made)
    yield made
    await runtime.stop()
    clock.use(None)


class Health:
    """What the server says of itself."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    async def __call__(self) -> Sequence[str]:
        return self.problems


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def new_browser(settings: Settings, health: Health) -> AsyncIterator[NewBrowser]:
    """Makes browsers that do not know each other; each may have other settings of the web."""
    clients = []

    async def make(**web_settings: object) -> Browser:
        changed = settings.web.model_copy(update=web_settings)
        app = create_app(settings.model_copy(update={"web": changed}), health=health)
        client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return Browser(client)

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def browser(new_browser: NewBrowser) -> Browser:
    return await new_browser()


async def _actor(name: str, *, role: Role = Role.MEMBER) -> Actor:
    user = await users.add_user(SYSTEM, users.AddUser(name=name, password=PASSWORD, role=role))
    return user.actor(Source.WEB, None)


@pytest.fixture
async def root(settings: Settings) -> Actor:
    """An administrator."""
    return await _actor("root", role=Role.ADMINISTRATOR)


@pytest.fixture
async def alice(root: Actor) -> Actor:
    return await _actor("alice")


@pytest.fixture
async def bob(root: Actor) -> Actor:
    return await _actor("bob")


@pytest.fixture
async def charlie(root: Actor) -> Actor:
    return await _actor("charlie")


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now: datetime = clock.now()
        clock.use(lambda: self.now)

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def time(settings: Settings) -> Iterator[Time]:
    yield Time()
    clock.use(None)


@pytest.fixture
async def statements(settings: Settings) -> list[str]:
    """What reaches the database from now on."""
    return await recorded()
