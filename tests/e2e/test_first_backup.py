"""From the first start to the first backup, and further, in a real browser with a real borg."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.big_backups import end, make_big_source, start_big_backup
from tests.e2e.installation import Installation
from tests.e2e.visitor import SECONDS, Visitor, set_up, visits


@pytest.fixture(params=[pytest.param("with scripts", marks=pytest.mark.long), "without scripts"])
def visitor(
    request: pytest.FixtureRequest, installation: Installation, chromium: Browser
) -> Iterator[Visitor]:
    installation.start(expect_setup=True)
    with visits(installation, chromium, has_scripts=request.param == "with scripts") as visitor:
        yield visitor


def test_from_the_first_start_to_a_restored_repository(
    installation: Installation, visitor: Visitor, tmp_path: Path
) -> None:
    set_up(installation, visitor)
    _add_a_machine(installation, visitor)
    _connect_it(installation, visitor)
    _watch_the_first_backup(installation, visitor, tmp_path)
    _edit(visitor)
    _switch_the_mode_and_back(installation, visitor)
    _delete_and_restore(installation, visitor)


def _add_a_machine(installation: Installation, visitor: Visitor) -> None:
    installation.client_environment()
    visitor.follow("Overview")
    visitor.follow("Add a machine")
    visitor.page.locator("#name").fill("documents")
    visitor.page.locator("#public_key").fill((installation.directory / "id.pub").read_text())
    visitor.page.get_by_label("Full").check()
    expect(visitor.page.get_by_label("Every day")).to_be_checked()
    zone = "Europe/Berlin" if visitor.has_scripts else "UTC"  # of the browser, where it can tell
    expect(visitor.page.locator("#timezone")).to_have_value(zone)
    visitor.press("Add the machine")
    expect(visitor.page.get_by_text("The machine documents was added.")).to_be_visible()


def _connect_it(installation: Installation, visitor: Visitor) -> None:
    """tests/e2e/test_connect.py runs all that this page shows; here it is created, no more."""
    page = visitor.page
    expect(page.locator("#step-key")).to_have_class("seen")
    url = page.locator("#url").inner_text()
    if visitor.has_scripts:
        page.locator("[data-copy=url]").click()
        expect(page.locator("#status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == url
    installation.borg("init", "--encryption=repokey-blake2", url)
    visitor.wait_for(page.locator("#step-create.seen"))
    _open(visitor, "Overview")
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


def _open(visitor: Visitor, tab: str, path: str | None = None) -> None:
    """Go to a tab of the repository, and from there to the page of a setting."""
    visitor.page.locator(".tabs").get_by_role("link", name=tab).click()
    expect(visitor.page.locator(".tabs [aria-current]")).to_have_text(tab)
    if path is not None:
        visitor.page.locator(f"main a[href$='/{path}']").first.click()


def _address(visitor: Visitor) -> str:
    _open(visitor, "Connect")
    return visitor.page.locator("#url").inner_text()


def _edit(visitor: Visitor) -> None:
    _open(visitor, "Settings", "edit")
    visitor.page.locator("#name").fill("papers")
    visitor.page.locator("#quota").fill("5GB")
    visitor.press("Save")
    expect(
        visitor.page.get_by_role("heading", name="papers").and_(visitor.page.locator("h1"))
    ).to_be_visible()
    _open(visitor, "Settings", "schedule")
    visitor.page.get_by_label("Every so often").check()
    visitor.page.locator("#every").fill("1d")
    visitor.press("Save")
    expect(visitor.page.get_by_text("The next is expected by")).to_be_visible()


def _switch_the_mode_and_back(installation: Installation, visitor: Visitor) -> None:
    url = _address(visitor)
    for mode, status in (("EXPORT", 2), ("BORG", 0)):
        _open(visitor, "Settings", "mode")
        visitor.page.get_by_label(mode, exact=True).check()
        visitor.press("Switch")
        expect(visitor.page.get_by_text(f"The mode is now {mode}.")).to_be_visible()
        installation.borg("list", "--short", url, status=status)


def _delete_and_restore(installation: Installation, visitor: Visitor) -> None:
    url = _address(visitor)
    _open(visitor, "Settings", "delete")
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
