"""From a server that was never started to the first backup of another person's machine.

Nothing but what the server prints and the pages show is used: the set-up link, a user and the link
to a password of their own, "Add a machine", and the blocks of the page Connect for borgmatic.
What a person takes to read and type is not in the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e import connect_page
from tests.e2e.fresh_machine import FreshMachine
from tests.e2e.installation import Installation
from tests.e2e.visitor import (
    add_user,
    choose_password,
    create_administrator,
    log_in,
    name_the_host,
    visits,
)
from tests.programs import CHECKOUT

_MOST = 180.0  # seconds


class Steps:
    """What each step took; pytest shows it where a test fails, or with -s."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self.seconds += took
        print(f"{took:6.1f} s  {words}")  # noqa: T201 - the figures are what one wants to see


@pytest.mark.long
@pytest.mark.parametrize(
    ("access", "has_scripts"),
    [
        pytest.param("full", True, id="full, with scripts"),
        pytest.param("append-only", False, id="append-only, without scripts"),
    ],
)
def test_the_first_backup_of_a_second_user_takes_less_than_three_minutes(
    installation: Installation, chromium: Browser, tmp_path: Path, access: str, has_scripts: bool
) -> None:
    installation.starts_empty = True
    installation.script = CHECKOUT / "script/server"
    steps, machine = Steps(), FreshMachine(tmp_path)
    with steps.step("the server starts for the first time"):
        installation.start(expect_setup=True)
    with visits(installation, chromium, has_scripts=has_scripts) as root:
        with steps.step("the printed link makes the administrator"):
            create_administrator(installation, root)
        with steps.step("the administrator says how clients reach the server"):
            name_the_host(root)
        with steps.step("the administrator adds a second user, and gets a link for them"):
            link = add_user(root, "anna")
    with visits(installation, chromium, has_scripts=has_scripts) as anna:
        with steps.step("the second user chooses a password, and logs in"):
            choose_password(anna, link)
            log_in(anna, "anna")
            expect(anna.page.get_by_text("There is no repository here yet.")).to_be_visible()
        with steps.step("adds a machine"):
            connect_page.add_machine(anna, access)
            connect_page.choose(anna, "borgmatic")
        with steps.step("step key"):
            connect_page.store_key(anna, machine)
        for step in ("login", "passphrase", "create", "backup"):
            with steps.step(f"step {step}"):
                connect_page.follow_step(anna, machine, step)
        expect(anna.page.locator("#progress")).to_contain_text("The first backup is in.")
        print(f"{steps.seconds:6.1f} s  in all")  # noqa: T201
        assert steps.seconds < _MOST

        for step in ("daily", "export", "restore"):
            connect_page.follow_step(anna, machine, step)
        expect(anna.page.locator("#progress")).to_contain_text("5 of 5 steps are done.")
        anna.follow("Overview")
        anna.wait_for(anna.page.locator("#chip-fine"))
    connect_page.expect_the_restored_file(machine)
