"""A session that ends while somebody types loses nothing: after the login the form is there."""

from __future__ import annotations

import html
import re

import pytest

from hive import clock
from hive.models import User
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import PASSWORD, Answer, Browser
from tests.web.conftest import Time
from tests.web.test_hostile_text import check
from tests.web.test_second_factor import set_up_app
from web import kept_form

FORM = {"name": "a'b\"<b>", "quota": "2TB", "tag": "home"}


def hidden(page: str) -> dict[str, str]:
    main = page.partition("<main")[2].partition("</main>")[0]  # without the forms of the frame
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', main)
    return {html.unescape(name): html.unescape(value) for name, value in found}


async def send_late(browser: Browser, path: str, fields: dict[str, str]) -> Answer:
    """Send a form after the session has ended; the answer is the login page."""
    browser.client.session.cookie_jar.clear()
    answer = await browser.post(path, fields)
    assert answer.status == 401
    check(answer.text)
    return answer


async def test_the_form_comes_back_after_the_login_and_a_button_sends_it(
    browser: Browser, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await browser.log_in("alice")
    path = f"/repositories/{made.id}/edit"
    login = hidden((await send_late(browser, path, {"name": "papers", "quota": "2TB"})).text)
    wrong = await browser.log_in("alice", "a wrong password", **login)
    assert wrong.status == 401
    assert (await browser.log_in("alice", **hidden(wrong.text))).location == "/resume"
    page = await browser.get("/resume")
    check(page.text)
    assert f'action="{path}"' in page.text
    assert (await catalogue.find_repository_by_id(alice, made.id)).name == "documents"
    assert (await browser.post(path, hidden(page.text))).status == 303
    changed = await catalogue.find_repository_by_id(alice, made.id)
    assert (changed.name, changed.quota_bytes) == ("papers", 2 * 10**12)


async def test_secrets_are_not_kept_and_have_to_be_typed_again(
    browser: Browser, root: Actor
) -> None:
    await browser.log_in("root")
    typed = {"name": "eve", "password": "typed in vain 1", "repeated": "typed in vain 1"}
    answer = await send_late(browser, "/admin/users/add", typed)
    assert "typed in vain" not in answer.text
    await browser.log_in("root", **hidden(answer.text))
    page = (await browser.get("/resume")).text
    assert "typed in vain" not in page
    assert hidden(page) == {"name": "eve"}
    assert re.findall(r'name="(\w+)" type="password"', page) == ["password", "repeated"]


async def test_it_goes_through_the_second_step_as_well(
    browser: Browser, alice: Actor, time: Time
) -> None:
    await browser.log_in("alice")
    app, _ = await set_up_app(browser)
    answer = await send_late(browser, "/repositories/add", FORM)
    first = await browser.log_in("alice", **hidden(answer.text))
    assert first.location == "/login/second"
    time.pass_by(seconds=30)
    second = await browser.post("/login/second", {"code": app.at(clock.now())})
    assert second.location == "/resume"
    assert hidden((await browser.get("/resume")).text) == FORM


async def test_no_other_site_can_put_a_form_in_and_nobody_else_sees_it(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    kept = kept_form.KeptForm("/repositories/add", FORM, ()).as_text()
    data = {"name": "alice", "password": PASSWORD, "kept": kept}
    refused = await browser.ask(
        "POST", "/login", data=data, headers={"Origin": "https://evil.example"}
    )
    assert refused.status == 403
    await browser.log_in("alice", kept=kept)
    browser.client.session.cookie_jar.clear()
    await browser.log_in("bob")
    assert (await browser.get("/resume")).location == "/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"path": "//evil.example/x", "fields": {}, "secrets": []}',
        '{"path": "https://evil.example", "fields": {}, "secrets": []}',
        '{"path": "/logout", "fields": {}, "secrets": []}',
        '{"path": "/keys/add", "fields": {"a": 1}, "secrets": []}',
        '{"path": "/keys/add", "fields": [], "secrets": []}',
        '{"path": "/keys/add", "fields": {}, "secrets": [1]}',
        '{"path": "/keys/add", "fields": {}, "secrets": [], "x": "' + "a" * 70_000 + '"}',
    ],
)
def test_what_no_login_page_of_ours_holds_is_dropped(text: str) -> None:
    assert kept_form.parse(text) is None


async def test_a_required_second_factor_is_set_up_before_anything_else(
    browser: Browser, alice: Actor, root: Actor, time: Time
) -> None:
    await browser.log_in("root")
    await browser.post("/admin/groups/add", {"name": "crew", "member-alice": "yes"})
    group = {"name": "crew", "member-alice": "yes", "second_factor": "yes"}
    assert (await browser.post("/admin/groups/1", group)).status == 303
    assert (await browser.get("/")).status == 200
    browser.client.session.cookie_jar.clear()
    await browser.log_in("alice")
    for path in ("/", "/keys", "/account", "/account/email", "/live", "/nothing"):
        assert (await browser.get(path)).location == "/account/second-factor", path
    for path in ("/repositories/add", "/account/password"):
        assert (await browser.post(path, {"name": "x"})).status == 403, path
    page = await browser.get("/account/second-factor")
    check(page.text)
    assert "A second factor is required of you." in page.text
    await set_up_app(browser)
    assert (await browser.get("/")).status == 200
    assert await User.filter(name="alice").exists()
