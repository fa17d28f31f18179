"""One server and one browser for the journeys of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import ARGUMENTS, PATH
from tests.e2e.installation import Installation
from tests.e2e.journeys.journey import ENDINGS, Journey
from tests.factories import PASSWORD


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A running server with the administrator `root`, and with the PEOPLE of the module."""
    names = [f"{name}-{end}" for name in request.module.PEOPLE for end in ENDINGS.values()]
    made = Installation(tmp_path_factory.mktemp("house"))
    try:
        made.start()
        made.hive_all(
            ["location", "set", "default", "--host", "127.0.0.1"],
            ["user", "add", "root", "--admin", "--password-stdin"],
            *(["user", "add", name, "--password-stdin"] for name in names),
            data=PASSWORD,
        )
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=["with scripts", "without scripts"])
def journey(
    request: pytest.FixtureRequest, house: Installation, chromium: Browser
) -> Iterator[Journey]:
    with Journey(house, chromium, has_scripts=request.param == "with scripts") as made:
        yield made
