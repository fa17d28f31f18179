from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import ARGUMENTS, PATH
from tests.e2e.installation import Installation
from tests.e2e.receiver import Receiver


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose server is not started yet."""
    made = Installation(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def backed_up(installation: Installation, tmp_path: Path) -> Installation:
    """A running server with alice, her key and her repository `laptop`, one archive in it."""
    installation.start(expect_setup=True)
    installation.client_environment()
    *_, shown = installation.hive_all(
        ["location", "set", "default", "--host", "127.0.0.1"],
        ["user", "add", "alice"],
        ["key", "add", "laptop", "--owner", "alice", tmp_path / "id.pub"],
        ["repo", "add", "laptop", "--owner", "alice", "--key", "laptop"],
        ["repo", "show", "laptop", "--json"],
    )
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("content\n" * 1000)
    url = json.loads(shown)["url"]
    installation.borg("init", "-e", "repokey-blake2", url)
    installation.borg("create", f"{url}::one", ".", cwd=source)
    return installation


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
