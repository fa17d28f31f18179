"""The page Connect, as a person follows it: each block is copied, and run as it is."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.e2e.fresh_machine import FreshMachine, is_about_systemd
from tests.e2e.visitor import SECONDS, Visitor

STEPS = ("login", "passphrase", "create", "backup", "daily", "export", "restore")


def add_machine(visitor: Visitor, access: str) -> None:
    """From the overview to the page Connect of a machine whose key is not known yet."""
    page = visitor.page
    visitor.follow("Add a machine")
    page.locator("#name").fill("laptop")
    page.get_by_label("Add it later").check()
    page.locator(f"#access-{access}").check()
    expect(page.locator("#day_at")).to_have_value("03:00")
    visitor.press("Add the machine")
    expect(page.get_by_text("0 of 5 steps are done.")).to_be_visible()
    expect(page.locator("#access")).to_have_value(access)


def follow_connect(visitor: Visitor, machine: FreshMachine, client: str) -> None:
    """All of its steps, to a restored file."""
    choose(visitor, client)
    store_key(visitor, machine)
    for step in STEPS:
        follow_step(visitor, machine, step)
    expect(visitor.page.locator("#progress")).to_contain_text("5 of 5 steps are done.")
    assert visitor.page.locator("li.seen").count() == 5
    expect_the_restored_file(machine)


def expect_the_restored_file(machine: FreshMachine) -> None:
    restored = machine.home / "restored" / str(machine.home).lstrip("/") / ".ssh/known_hosts"
    assert restored.read_text() == (machine.home / ".ssh/known_hosts").read_text()


def choose(visitor: Visitor, client: str) -> None:
    link = visitor.page.locator(".clients").get_by_role("link", name=client, exact=True)
    link.click()
    expect(link).to_have_attribute("aria-current", "true")
    expect(visitor.page.locator("li.seen")).to_have_count(0)


def store_key(visitor: Visitor, machine: FreshMachine) -> None:
    page = visitor.page
    (printed,) = run_step(visitor, machine, "key")
    page.locator("#public_key").fill(printed)
    visitor.press("Store the key")
    visitor.wait_for(page.locator("#step-key.seen"))
    expect(page.locator("#step-login")).to_have_class("next")


def follow_step(visitor: Visitor, machine: FreshMachine, step: str) -> None:
    """Do what this step of the page says, if the client has it; and look for its tick."""
    if visitor.page.locator(f"#step-{step}").count():
        run_step(visitor, machine, step)
        expect_the_tick(visitor, step)


def run_step(visitor: Visitor, machine: FreshMachine, step: str) -> list[str]:
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


def expect_the_tick(visitor: Visitor, step: str) -> None:
    """Green as soon as the server saw it; never, where it cannot see it."""
    item = visitor.page.locator(f"#step-{step}")
    if item.get_by_text("The server cannot see this").count():
        expect(item).not_to_have_class("seen")
    else:
        visitor.wait_for(visitor.page.locator(f"#step-{step}.seen"))
        expect(item.locator("details")).to_be_visible(timeout=SECONDS * 1000)
