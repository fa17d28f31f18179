"""Passkeys in a real browser, with an authenticator that the browser pretends to have."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.installation import Installation
from tests.factories import PASSWORD

INTERNAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Seat:
    """A person before a browser whose computer can be unlocked by a finger."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.sent: list[str] = []
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self._keep(request.post_data))
        self._devtools = context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable")
        made = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": INTERNAL})
        self._authenticator = {"authenticatorId": made["authenticatorId"]}

    def _note(self, message: Any) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def _keep(self, body: str | None) -> None:
        """What passkeys signed, as it went over the wire."""
        self.sent += parse_qs(body or "").get("passkey", [])

    def lose_the_passkeys(self) -> None:
        self._devtools.send("WebAuthn.clearCredentials", self._authenticator)


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")


@pytest.mark.long
def test_a_passkey_is_made_and_opens_the_pages(
    installation: Installation, chromium: Browser
) -> None:
    installation.start(expect_setup=True)
    installation.hive("user", "add", "alice", "--password-stdin", data=PASSWORD)
    home = installation.web_url.replace("127.0.0.1", "localhost")
    context = chromium.new_context()
    seat = Seat(context)
    page = seat.page

    # added, after the password
    page.goto(f"{home}/account/passkeys/new")
    log_in(page, "alice")
    page.get_by_label("Name, to recognise it by").fill("this computer")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    code = page.locator(".codes code").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("link", name="this computer")).to_be_visible()

    # as the second step, by keyboard alone
    page.get_by_role("button", name="Log out").click()
    log_in(page, "alice")
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    expect(page.get_by_text("Using a passkey needs JavaScript")).to_be_hidden()
    button = page.get_by_role("button", name="Use a passkey")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Repositories")).to_be_visible()

    # alone, without a name
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Repositories")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    # what went over the wire is worth nothing to who recorded it
    assert len(seat.sent) == 3
    stranger = chromium.new_context()
    for signed in seat.sent:
        for path in ("/login/passkey", "/login/second"):
            answer = stranger.request.post(
                f"{home}{path}", form={"passkey": signed}, headers={"Origin": home}
            )
            assert answer.status in (200, 401)
            assert re.search("<h1>Log in</h1>", answer.text())
    assert "hive" not in [cookie.get("name") for cookie in stranger.cookies()]

    # lost: the page says so, and a recovery code helps
    seat.lose_the_passkeys()
    log_in(page, "alice")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("The browser provided no passkey.")).to_be_visible()
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Repositories")).to_be_visible()
    assert seat.complaints == []

    # without JavaScript the page says what to do instead
    plain = chromium.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{home}/login")
    expect(plain.get_by_text("Passkeys need JavaScript")).to_be_visible()
    expect(plain.get_by_role("button", name="Log in with a passkey")).to_have_count(0)
    log_in(plain, "alice")
    expect(plain.get_by_text("Using a passkey needs JavaScript")).to_be_visible()

    # an administrator helps who lost everything
    assert installation.json("user", "second-factor", "alice")["passkeys"] == 1
    installation.hive("user", "second-factor", "alice", "--off")
    plain.goto(f"{home}/login")
    log_in(plain, "alice")
    expect(plain.get_by_role("heading", name="Repositories")).to_be_visible()
