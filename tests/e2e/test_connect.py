"""From "Add a machine" to a restored file, with nothing but what the pages show.

The blocks are copied from the page and run as they are, by real clients on a machine that has
nothing yet. The page's ticks follow.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.fresh_machine import FreshMachine, is_about_systemd
from tests.e2e.installation import Installation
from tests.e2e.visitor import SECONDS, Visitor, set_up, visits

WAYS = [
    ("borg", "append-only", True),
    ("borg", "full", False),
    ("borgmatic", "full", True),
    ("borgmatic", "append-only", False),
    ("systemd", "append-only", True),
    ("systemd", "full", False),
]


def _name(way: tuple[str, str, bool]) -> str:
    return f"{way[0]}, {way[1]}, {'with' if way[2] else 'without'} scripts"


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(WAYS[0], id=_name(WAYS[0])),
        *(pytest.param(way, id=_name(way), marks=pytest.mark.long) for way in WAYS[1:]),
    ],
)
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
        _add(visitor, access)
        _connect(visitor, machine, client)
    restored = machine.home / "restored" / str(machine.home).lstrip("/") / ".ssh/known_hosts"
    assert restored.read_text() == (machine.home / ".ssh/known_hosts").read_text()


def _add(visitor: Visitor, access: str) -> None:
    page = visitor.page
    visitor.follow("Overview")
    visitor.follow("Add a machine")
    page.locator("#name").fill("laptop")
    page.get_by_label("Add it later").check()
    page.locator(f"#access-{access}").check()
    expect(page.locator("#day_at")).to_have_value("03:00")
    visitor.press("Add the machine")
    expect(page.get_by_text("0 of 5 steps are done.")).to_be_visible()


def _connect(visitor: Visitor, machine: FreshMachine, client: str) -> None:
    page = visitor.page
    page.locator(".clients").get_by_role("link", name=client, exact=True).click()
    expect(page.locator("li.seen")).to_have_count(0)
    (printed,) = _run(visitor, machine, "key")
    page.locator("#public_key").fill(printed)
    visitor.press("Store the key")
    page.goto(f"{page.url}?client={client}")
    visitor.wait_for(page.locator("#step-key.seen"))
    expect(page.locator("#step-login")).to_have_class("next")
    for step in ("login", "passphrase", "create", "backup", "daily", "export", "restore"):
        if page.locator(f"#step-{step}").count():
            _run(visitor, machine, step)
            _expect_the_tick(visitor, step)
    expect(page.locator("#progress")).to_contain_text("5 of 5 steps are done.")
    assert page.locator("li.seen").count() == 5


def _run(visitor: Visitor, machine: FreshMachine, step: str) -> list[str]:
    """Copy each block of a step, and run it; what the blocks printed."""
    blocks = visitor.page.locator(f"#step-{step} pre code")
    texts = [_copied(visitor, blocks.nth(number)) for number in range(blocks.count())]
    printed = []
    for text in texts:
        if not is_about_systemd(text):
            printed.append(machine.run(text))
        elif step == "backup":
            machine.verify_units("borg-laptop")
            machine.start_service("borg-laptop")
    return printed


def _copied(visitor: Visitor, block: Locator) -> str:
    if not visitor.has_scripts:
        return block.text_content() or ""
    visitor.page.locator(f"[data-copy={block.get_attribute('id')}]").click()
    expect(visitor.page.locator("#status")).to_have_text("Copied")
    text: str = visitor.page.evaluate("navigator.clipboard.readText()")
    return text


def _expect_the_tick(visitor: Visitor, step: str) -> None:
    """Green as soon as the server saw it; never, where it cannot see it."""
    item = visitor.page.locator(f"#step-{step}")
    if item.get_by_text("The server cannot see this").count():
        expect(item).not_to_have_class("seen")
    else:
        visitor.wait_for(visitor.page.locator(f"#step-{step}.seen"))
        expect(item.locator("details")).to_be_visible(timeout=SECONDS * 1000)
