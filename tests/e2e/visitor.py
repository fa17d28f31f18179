"""A person at a browser, with or without scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.e2e.installation import Installation
from tests.factories import PASSWORD

SECONDS = 20.0
_ANSWERS = ("status of 401", "status of 422")  # to a wrong password, and to a wrong form


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
        if not any(answer in message.text for answer in _ANSWERS):
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

    def reads(self, words: str) -> None:
        """See these words on the page."""
        expect(self.page.locator("main").get_by_text(words).first).to_be_visible()


@contextmanager
def visits(
    installation: Installation, chromium: Browser, *, has_scripts: bool
) -> Iterator[Visitor]:
    """Somebody in Berlin opens a browser; at the end, no page has done what it should not."""
    context = chromium.new_context(
        java_script_enabled=has_scripts, locale="en-GB", timezone_id="Europe/Berlin"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context.new_page(), has_scripts, installation.web_url)
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()


def create_administrator(installation: Installation, visitor: Visitor) -> None:
    """By the link that the server printed."""
    assert installation.setup_url is not None
    visitor.page.goto(installation.setup_url)
    visitor.fill("Name", "root")
    visitor.fill("Password", PASSWORD)
    visitor.fill("Password, once more", PASSWORD)
    visitor.press("Create the administrator account")
    expect(visitor.page.get_by_text("There is no repository here yet.")).to_be_visible()


def set_up(installation: Installation, visitor: Visitor) -> None:
    create_administrator(installation, visitor)
    visitor.press("Log out")
    log_in(visitor, "root")
    name_the_host(visitor)


def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> None:
    """On the page of the login."""
    visitor.fill("Name", name)
    visitor.fill("Password", password)
    visitor.press("Log in")


def name_the_host(visitor: Visitor) -> None:
    """Say how clients reach the server."""
    visitor.follow("Administration")
    visitor.follow("Locations")
    visitor.follow("default")
    visitor.fill("Host", "127.0.0.1")
    visitor.press("Save")


def add_user(root: Visitor, name: str) -> str:
    """By an administrator; the link with which the user chooses a password."""
    page = root.page
    root.follow("Administration")
    root.follow("Users")
    root.follow("Add a user")
    page.locator("#name").fill(name)
    root.press("Add the user")
    root.press("Make a link")
    return page.locator("#link").inner_text()


def choose_password(visitor: Visitor, link: str, password: str = PASSWORD) -> None:
    """By such a link; then the page of the login is open."""
    visitor.page.goto(link)
    visitor.page.locator("#password").fill(password)
    visitor.page.locator("#repeated").fill(password)
    visitor.press("Change the password")
    visitor.reads("Log in with the new one.")
