"""From "Add a machine" to a restored file, with nothing but what the pages show.

The blocks are copied from the page and run as they are, by real clients on a machine that has
nothing yet. The page's ticks follow.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.connect_page import add_machine, follow_connect
from tests.e2e.fresh_machine import FreshMachine
from tests.e2e.installation import Installation
from tests.e2e.visitor import set_up, visits

# tests/e2e/test_three_minutes.py goes the ways of borgmatic.
WAYS = [
    ("borg", "append-only", True),
    ("borg", "full", False),
    ("systemd", "append-only", True),
    ("systemd", "full", False),
]


def _name(way: tuple[str, str, bool]) -> str:
    return f"{way[0]}, {way[1]}, {'with' if way[2] else 'without'} scripts"


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids=_name)
def test_what_the_page_shows_is_enough(
    installation: Installation,
    chromium: Browser,
    tmp_path: Path,
    way: tuple[str, str, bool],
) -> None:
    client, access, has_scripts = way
    installation.start(expect_setup=True)
    machine = FreshMachine(tmp_path)
    with visits(installation, chromium, has_scripts=has_scripts) as visitor:
        set_up(installation, visitor)
        visitor.follow("Overview")
        add_machine(visitor, access)
        follow_connect(visitor, machine, client)
