from __future__ import annotations

import html
import json
import re
from typing import Any

from hive.models import Passkey
from hive.services.accounts import users
from hive.services.permissions import Actor
from tests.authenticator import Authenticator
from tests.web.browser import PASSWORD, Answer, Browser, NewBrowser
from tests.web.test_hostile_text import check
from tests.web.test_second_factor import FACTOR, shown_codes

URL = "http://localhost:8080"


def options_of(page: str) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', page)
    assert found is not None
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


async def test_where_browsers_know_no_passkeys_the_page_says_why(
    browser: Browser, alice: Actor
) -> None:
    """At a bare address, as the tests' server is."""
    await browser.log_in("alice")
    assert "web.public_url" in (await browser.get("/account/passkeys/new")).text
    assert "data-passkey" not in (await browser.get("/login")).text
    fields = {"name": "key", "password": PASSWORD}
    assert "web.public_url" in (await browser.post("/account/passkeys/new", fields)).text


async def add_passkey(browser: Browser, key: Authenticator) -> Answer:
    page = await browser.post("/account/passkeys/new", {"name": "key", "password": PASSWORD})
    assert page.status == 200
    check(page.text)
    made = key.make(options_of(page.text))
    return await browser.post("/account/passkeys", {"name": "key", "passkey": made})


async def test_a_passkey_is_added_and_is_the_second_step(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser, key = await new_browser(public_url=URL), Authenticator()
    await browser.log_in("alice")
    wrong = await browser.post("/account/passkeys/new", {"name": "key", "password": "wrong"})
    assert (wrong.status, "data-options" in wrong.text) == (422, False)
    assert len(shown_codes((await add_passkey(browser, key)).text)) == 10
    await browser.post("/logout")
    assert (await browser.log_in("alice")).location == "/login/second"
    page = (await browser.get("/login/second")).text
    check(page)
    assert 'id="code"' not in page
    assert "needs JavaScript" in page
    answer = await browser.post("/login/second", {"passkey": key.use(options_of(page))})
    assert (answer.status, answer.location) == (303, "/")
    assert (await browser.get("/")).status == 200


async def test_an_assertion_of_one_login_is_worth_nothing_in_another(
    new_browser: NewBrowser, alice: Actor, bob: Actor
) -> None:
    browser, key = await new_browser(public_url=URL), Authenticator()
    await browser.log_in("alice")
    await add_passkey(browser, key)
    await browser.post("/logout")
    await browser.log_in("alice")
    signed = key.use(options_of((await browser.get("/login/second")).text))
    other = await new_browser(public_url=URL)
    await other.log_in("alice")
    assert (await other.post("/login/second", {"passkey": signed})).status == 422
    assert (await browser.post("/login/second", {"passkey": signed})).status == 303
    await browser.post("/logout")
    await browser.log_in("alice")
    assert (await browser.post("/login/second", {"passkey": signed})).status == 422
    assert browser.token is None


async def test_a_passkey_alone_logs_in_and_not_who_is_disabled(
    new_browser: NewBrowser, root: Actor, alice: Actor
) -> None:
    browser, key = await new_browser(public_url=URL), Authenticator()
    await browser.log_in("alice")
    await add_passkey(browser, key)
    await browser.post("/logout")

    async def log_in() -> Answer:
        signed = key.use(options_of((await browser.get("/login")).text))
        return await browser.post("/login/passkey", {"passkey": signed, "next": "/account"})

    assert (await log_in()).location == "/account"
    assert (await browser.get("/")).status == 200
    await browser.post("/logout")
    await users.set_user(root, alice.user_id or 0, users.ChangeUser(enabled=False))
    assert (await log_in()).status == 401
    assert browser.token is None


async def test_a_passkey_is_renamed_and_deleted(new_browser: NewBrowser, alice: Actor) -> None:
    browser = await new_browser(public_url=URL)
    await browser.log_in("alice")
    await add_passkey(browser, Authenticator())
    path = f"/account/passkeys/{(await Passkey.get()).id}"
    check((await browser.get(path)).text)
    assert (await browser.post(path, {"name": ""})).status == 422
    assert (await browser.post(path, {"name": "blue <key>"})).status == 303
    page = (await browser.get(FACTOR)).text
    check(page)
    assert "blue &lt;key&gt;" in page
    assert (await browser.post(f"{path}/delete", {"password": "wrong"})).status == 422
    assert await Passkey.exists()
    assert (await browser.post(f"{path}/delete", {"password": PASSWORD})).status == 303
    assert not await Passkey.exists()
    assert (await browser.get(path)).status == 404
