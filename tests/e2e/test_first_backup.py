"""From the first start to the first backup, and further, in a real browser with a real borg."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.e2e.big_backups import end, make_big_source, start_big_backup
from tests.e2e.installation import Installation
from tests.factories import PASSWORD

SECONDS = 20.0


@dataclass
class Visitor:
    """A person at a browser, with or without scripts, who notes what pages should not do."""

    page: Page
    has_scripts: bool
    origin: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self._check(request.url))

    def _note(self, message: ConsoleMessage) -> None:
        if "status of 422" not in message.text:  # what a wrong form is answered with
            self.complaints.append(f"console: {message.text}")

    def _check(self, url: str) -> None:
        if not url.startswith(f"{self.origin}/"):
            self.complaints.append(f"request to {url}")

    def wait_for(self, shown: Locator) -> None:
        """Until the page shows it: by itself, or by being loaded again where there is no script."""
        if self.has_scripts:
            expect(shown).to_be_visible(timeout=SECONDS * 1000)
            return
        deadline = time.monotonic() + SECONDS
        while not shown.is_visible():
            assert time.monotonic() < deadline, f"the page does not show {shown}"
            self.page.reload()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)


@pytest.fixture(params=["with scripts", "without scripts"])
def visitor(
    request: pytest.FixtureRequest, installation: Installation, chromium: Browser
) -> Iterator[Visitor]:
    installation.start(expect_setup=True)
    has_scripts = request.param == "with scripts"
    context = chromium.new_context(
        java_script_enabled=has_scripts, locale="en-GB", timezone_id="Europe/Berlin"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context.new_page(), has_scripts, installation.web_url)
    yield visitor
    assert visitor.complaints == []


def test_from_the_first_start_to_a_restored_repository(
    installation: Installation, visitor: Visitor, tmp_path: Path
) -> None:
    _set_up(installation, visitor)
    _add_key(installation, visitor)
    _add_repository(visitor)
    _connect_a_machine(installation, visitor)
    _watch_the_first_backup(installation, visitor, tmp_path)
    _edit(visitor)
    _switch_the_mode_and_back(installation, visitor)
    _delete_and_restore(installation, visitor)


def _set_up(installation: Installation, visitor: Visitor) -> None:
    assert installation.setup_url is not None
    visitor.page.goto(installation.setup_url)
    visitor.fill("Name", "root")
    visitor.fill("Password", PASSWORD)
    visitor.fill("Password, once more", PASSWORD)
    visitor.press("Create the administrator account")
    expect(visitor.page.get_by_text("There is no repository here yet.")).to_be_visible()
    visitor.press("Log out")
    visitor.fill("Name", "root")
    visitor.fill("Password", PASSWORD)
    visitor.press("Log in")
    visitor.page.goto(f"{visitor.origin}/admin/locations")
    visitor.follow("default")
    visitor.fill("Host", "127.0.0.1")
    visitor.press("Save")


def _add_key(installation: Installation, visitor: Visitor) -> None:
    installation.client_environment()
    visitor.follow("Keys")
    visitor.follow("Add a key")
    visitor.page.locator("#name").fill("laptop")
    visitor.page.locator("#public_key").fill((installation.directory / "id.pub").read_text())
    visitor.press("Add the key")
    expect(visitor.page.get_by_text("The key laptop was added.")).to_be_visible()


def _add_repository(visitor: Visitor) -> None:
    visitor.follow("Overview")
    visitor.follow("Add a repository")
    visitor.page.locator("#name").fill("documents")
    visitor.page.locator("select[name^=key-]").select_option("full")
    expect(visitor.page.get_by_label("Every day")).to_be_checked()
    zone = "Europe/Berlin" if visitor.has_scripts else "UTC"  # of the browser, where it can tell
    expect(visitor.page.locator("#timezone")).to_have_value(zone)
    visitor.press("Add the repository")
    expect(visitor.page.get_by_role("heading", name="documents", level=1)).to_be_visible()
    expect(visitor.page.get_by_text("Waiting for the first session")).to_be_visible()


def _connect_a_machine(installation: Installation, visitor: Visitor) -> None:
    """Run the very command that the page shows, copied by its button where there is a script."""
    page = visitor.page
    command = page.locator("#command").inner_text()
    if visitor.has_scripts:
        page.locator("[data-copy=command]").click()
        expect(page.locator("#status")).to_have_text("Copied")
        command = page.evaluate("navigator.clipboard.readText()")
    program, *arguments = shlex.split(command)
    assert program == "borg"
    installation.borg(*arguments)
    visitor.wait_for(page.get_by_text("the connection works"))
    expect(page.locator("#arrival")).to_have_class("arrival connected")


def _watch_the_first_backup(installation: Installation, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    home = page.url
    page.goto(f"{visitor.origin}/")
    source = make_big_source(tmp_path / "big")
    process = start_big_backup(installation, source, "documents")
    try:
        os.killpg(process.pid, signal.SIGSTOP)  # it stays as it is while it is looked at
        row = page.locator("tr.running")
        visitor.wait_for(row.locator(".next").get_by_text("MB", exact=False).first)
        expect(row.get_by_text("Backing up")).to_be_visible()
        assert "favicon-live" in (page.locator("link[rel=icon]").get_attribute("href") or "")
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(timeout=SECONDS) == 0
    finally:
        end(process)
    visitor.wait_for(page.locator("#chip-fine"))
    page.goto(home)
    expect(page.get_by_text("The first backup is in.")).to_be_visible()


def _edit(visitor: Visitor) -> None:
    visitor.follow("Edit")
    visitor.page.locator("#name").fill("papers")
    visitor.page.locator("#quota").fill("5GB")
    visitor.press("Save")
    expect(visitor.page.get_by_role("heading", name="papers", level=1)).to_be_visible()
    visitor.follow("Schedule and tags")
    visitor.page.get_by_label("Every so often").check()
    visitor.page.locator("#every").fill("1d")
    visitor.press("Save")
    expect(visitor.page.get_by_text("The next is expected by")).to_be_visible()


def _switch_the_mode_and_back(installation: Installation, visitor: Visitor) -> None:
    url = visitor.page.locator("#url").inner_text()
    for mode, status in (("EXPORT", 2), ("BORG", 0)):
        visitor.follow("Mode")
        visitor.page.get_by_label(mode, exact=True).check()
        visitor.press("Switch")
        expect(visitor.page.get_by_text(f"The mode is now {mode}.")).to_be_visible()
        installation.borg("list", "--short", url, status=status)


def _delete_and_restore(installation: Installation, visitor: Visitor) -> None:
    url = visitor.page.locator("#url").inner_text()
    visitor.follow("Delete")
    visitor.page.locator("#name").fill("documents")
    visitor.press("Delete the repository")
    expect(visitor.page.get_by_text("Nothing was changed yet")).to_be_visible()
    visitor.page.locator("#name").fill("papers")
    visitor.press("Delete the repository")
    visitor.follow("Overview")
    expect(visitor.page.get_by_text("There is no repository here yet.")).to_be_visible()
    installation.borg("list", "--short", url, status=2)
    visitor.page.goto(f"{visitor.origin}/trash")
    visitor.press("Restore papers")
    assert installation.borg("list", "--short", url).split()[-1] == "big"
