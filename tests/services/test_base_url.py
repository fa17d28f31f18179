"""What links to our pages begin with: the same everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hive.config.settings import Settings
from hive.services import runtime
from hive.services.accounts import users
from hive.services.permissions import OPERATOR
from hive.services.reports import tokens
from hive.services.runtime import Listening
from tests import factories
from tests.factories import make_settings


@pytest.fixture
def more() -> dict[str, str]:
    return {}


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path, more: dict[str, str]) -> Settings:
    made = make_settings(tmp_path / "data", **more)
    made.paths.data_dir.mkdir()
    made.paths.database.write_bytes(migrated_database.read_bytes())
    return made


def listen_at(url: str) -> None:
    runtime.write_listening(Listening(os.getpid(), 2222, url))


@pytest.mark.parametrize("more", [{"web.listen": "[::1]:8080"}])
async def test_it_is_where_the_server_will_listen_while_none_runs(hive: Settings) -> None:
    assert runtime.base_url() == "http://[::1]:8080"


async def test_it_is_where_the_server_listens(hive: Settings) -> None:
    listen_at("http://127.0.0.1:4711")
    assert runtime.base_url() == "http://127.0.0.1:4711"


@pytest.mark.parametrize("more", [{"web.public_url": "https://Hive.example.org/"}])
async def test_what_people_type_comes_first(hive: Settings) -> None:
    listen_at("http://127.0.0.1:4711")
    assert runtime.base_url() == "https://hive.example.org"


async def test_all_links_begin_with_it(hive: Settings) -> None:
    listen_at("http://127.0.0.1:4711")
    alice = await factories.make_user("alice")
    repository = await factories.make_repository(alice)
    made = await tokens.add_token(alice, repository.id, "cron")
    assert alice.user_id is not None
    reset = await users.reset_link(OPERATOR, alice.user_id)
    for url in (made.url, made.push_url, reset.url):
        assert url.startswith("http://127.0.0.1:4711/")
