"""People at their browsers, on a server that other journeys use as well."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.fresh_machine import FreshMachine
from tests.e2e.installation import Installation
from tests.e2e.visitor import Visitor, log_in, visits
from tests.web.test_browser import AXE, PICTURES, RUN_AXE

_EARLIER = "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', ?)"


ENDINGS = {True: "js", False: "plain"}


class Journey:
    """Names end in how the pages are used: the server is the same with and without scripts."""

    def __init__(self, house: Installation, chromium: Browser, *, has_scripts: bool) -> None:
        self.house = house
        self.has_scripts = has_scripts
        self._chromium = chromium
        self._open = ExitStack()

    def __enter__(self) -> Journey:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def named(self, name: str) -> str:
        return f"{name}-{ENDINGS[self.has_scripts]}"

    def guest(self) -> Visitor:
        """Somebody who has not logged in, at the page that asks for it."""
        visit = visits(self.house, self._chromium, has_scripts=self.has_scripts)
        visitor = self._open.enter_context(visit)
        visitor.page.goto(f"{visitor.origin}/")
        return visitor

    def visitor(self, name: str) -> Visitor:
        """This user, at the overview."""
        visitor = self.guest()
        log_in(visitor, name)
        expect(visitor.page.get_by_role("button", name="Log out")).to_be_visible()
        return visitor

    def machine(self, directory: Path) -> FreshMachine:
        """A machine with a key, which knows the server."""
        machine = FreshMachine(directory)
        machine.run(
            "mkdir -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519\n"
            f"ssh-keyscan -p {self.house.ssh_port} 127.0.0.1 > ~/.ssh/known_hosts 2> /dev/null"
        )
        return machine

    def set_back(self, table: str, where: str, *columns: str, by: str) -> None:
        """As if it had been earlier: `by` is "-3 hours"."""
        new = ", ".join(f"{column} = {_EARLIER}" for column in columns)
        self.execute(f"UPDATE {table} SET {new} WHERE {where}", *[by] * len(columns))  # noqa: S608

    def execute(self, sql: str, *values: object) -> None:
        path = self.house.data / "hive.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            database.execute(sql, values)

    def picture(self, visitor: Visitor, name: str) -> None:
        """For people to look at; and axe finds nothing wrong with the page."""
        if self.has_scripts:
            visitor.page.evaluate(AXE)
            assert visitor.page.evaluate(RUN_AXE, []) == []
        visitor.page.screenshot(path=PICTURES / f"{self.named(name)}.png", full_page=True)


def public_key(machine: FreshMachine) -> str:
    return machine.run("cat ~/.ssh/id_ed25519.pub").strip()


def add_machine(visitor: Visitor, name: str, key: str | None, access: str = "full") -> str:
    """By the form, with this public key or with none yet; the URL that Connect shows."""
    page = visitor.page
    page.goto(f"{visitor.origin}/")
    visitor.follow("Add a machine")
    page.locator("#name").fill(name)
    if key is None:
        page.get_by_label("Add it later").check()
    else:
        page.locator("#public_key").fill(key)
    page.locator(f"#access-{access}").check()
    visitor.press("Add the machine")
    return page.locator("#url").inner_text()


def open_tab(visitor: Visitor, tab: str, path: str | None = None) -> None:
    """A tab of the repository, and from there the page of a setting."""
    visitor.page.locator(".tabs").get_by_role("link", name=tab).click()
    expect(visitor.page.locator(".tabs [aria-current]")).to_have_text(tab)
    if path is not None:
        visitor.page.locator(f"main a[href$='/{path}']").first.click()
