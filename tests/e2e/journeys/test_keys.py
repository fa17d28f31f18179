"""Keys of machines: replaced by another one, and refused, with real ssh."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.fresh_machine import FreshMachine
from tests.e2e.journeys.journey import Journey, add_machine, open_tab, public_key

pytestmark = pytest.mark.long
PEOPLE = ("kira", "nora")


def _login_of(url: str) -> str:
    """What ssh is given: ssh://LOGIN@HOST:PORT/./NAME without the path."""
    return url.partition("/./")[0]


def _is_let_in(machine: FreshMachine, url: str) -> bool:
    said = machine.run(f"ssh {_login_of(url)} 2>&1 || echo refused: $?")
    assert ("Permission denied (publickey)" in said) == said.endswith("refused: 255\n"), said
    return "refused" not in said


def test_a_key_is_replaced_and_the_new_one_opens_what_the_old_one_did(
    journey: Journey, tmp_path: Path
) -> None:
    kira = journey.named("kira")
    machine, visitor = journey.machine(tmp_path), journey.visitor(kira)
    urls = [add_machine(visitor, name, public_key(machine)) for name in ("one", "two")]
    assert all(_is_let_in(machine, url) for url in urls)
    machine.run("ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/new")

    visitor.follow("Keys")
    visitor.page.locator("main tbody th a").click()
    visitor.follow("Replace…")
    visitor.page.locator("#public_key").fill(machine.run("cat ~/.ssh/new.pub"))
    journey.picture(visitor, "journey-replace-key")
    visitor.press("Replace the key")
    expect(visitor.page.locator(".flash")).to_be_visible()
    assert not _is_let_in(machine, urls[0])
    machine.run("cd ~/.ssh && mv new id_ed25519 && mv new.pub id_ed25519.pub")
    assert all(_is_let_in(machine, url) for url in urls)


def test_a_refused_key_is_shown_and_let_in(journey: Journey, tmp_path: Path) -> None:
    nora = journey.named("nora")
    machine, visitor = journey.machine(tmp_path), journey.visitor(nora)
    url = add_machine(visitor, "laptop", None)
    assert not _is_let_in(machine, url)
    fingerprint = machine.run("ssh-keygen -lf ~/.ssh/id_ed25519.pub").split()[1]

    visitor.wait_for(visitor.page.locator("#refused").get_by_text(fingerprint))
    visitor.page.locator("#refused").get_by_role("link", name="Give access…").click()
    expect(visitor.page.locator("#fingerprint")).to_have_text(fingerprint)
    visitor.page.locator("#name").fill("laptop of nora")
    journey.picture(visitor, "journey-let-in")
    visitor.press("Let it in")
    visitor.reads("The key laptop of nora now opens laptop.")
    assert _is_let_in(machine, url)
    visitor.follow("laptop")
    open_tab(visitor, "Connect")
    expect(visitor.page.locator("#step-key.seen")).to_be_visible()
    visitor.wait_for(visitor.page.locator("#step-login.seen"))
