from __future__ import annotations

import asyncio
import html

import pytest

from hive.models import WebSession
from hive.services.accounts import users
from hive.services.permissions import Actor
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.conftest import Time


async def test_a_user_logs_in_and_sees_the_list(browser: Browser, alice: Actor) -> None:
    answer = await browser.log_in("alice")
    assert (answer.status, answer.location) == (303, "/")
    page = await browser.get("/")
    assert page.status == 200
    assert "alice" in page.text


async def test_a_wrong_password_is_told_and_the_name_is_kept(
    browser: Browser, alice: Actor
) -> None:
    answer = await browser.log_in("alice", "something else")
    assert answer.status == 401
    assert "Name or password is wrong." in answer.text
    assert 'value="alice"' in answer.text
    assert "something else" not in answer.text
    assert browser.token is None


@pytest.mark.parametrize("name", ["nobody", "", "alice\0", "é" * 9_000, "' OR 1=1 --", "1"])
async def test_an_unknown_name_is_told_no_more_than_a_wrong_password(
    browser: Browser, alice: Actor, name: str
) -> None:
    answer = await browser.log_in(name)
    assert answer.status == 401
    assert "Name or password is wrong." in answer.text


async def test_a_user_without_a_password_cannot_log_in(browser: Browser, root: Actor) -> None:
    await users.add_user(root, users.AddUser(name="dave"))
    for password in ("", "nobody has this password"):
        assert (await browser.log_in("dave", password)).status == 401


async def test_there_is_no_default_password(browser: Browser) -> None:
    for name in ("admin", "root", "hive", "operator", "system"):
        for password in ("", "admin", "admin123", "password", "hive", "changeme"):
            assert (await browser.log_in(name, password)).status in (401, 403)


async def test_the_cookie_is_for_this_site_only_and_no_script_reads_it(
    browser: Browser, alice: Actor
) -> None:
    cookie = (await browser.log_in("alice")).cookie
    assert cookie.startswith("hive=")
    parts = cookie.split("; ")[1:]
    assert set(parts) == {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"}


async def test_behind_https_the_cookie_is_bound_to_the_host(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser(public_url="https://hive.example.org")
    cookie = (await browser.log_in("alice")).cookie
    assert cookie.startswith("__Host-hive=")
    assert "Secure" in cookie.split("; ")
    assert "Path=/" in cookie.split("; ")
    assert "Domain" not in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    # The name without the prefix could have been set by a neighbouring site.
    assert (await browser.get("/", headers={"Cookie": f"hive={token}"})).status == 303
    assert (await browser.get("/", headers={"Cookie": f"__Host-hive={token}"})).status == 200


async def test_only_the_hash_of_the_token_is_stored(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    row = await WebSession.get()
    assert browser.token
    assert browser.token not in str(row.__dict__)


async def test_logging_out_ends_the_session_on_the_server(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    token = browser.token
    assert token
    answer = await browser.post("/logout")
    assert (answer.status, answer.location) == (303, "/login")
    assert browser.token is None
    browser.take_token(token)
    assert (await browser.get("/")).location == "/login"


async def test_a_session_that_somebody_else_planted_is_not_the_one_after_login(
    browser: Browser, new_browser: NewBrowser, alice: Actor, bob: Actor
) -> None:
    """Session fixation: bob plants his own cookie in alice's browser and waits for her login."""
    other = await new_browser()
    await other.log_in("bob")
    planted = other.token
    assert planted
    browser.take_token(planted)
    await browser.log_in("alice")
    assert browser.token not in (None, planted)
    assert (await other.get("/")).location == "/login"


async def test_a_session_ends_after_its_days_even_if_used(
    browser: Browser, alice: Actor, time: Time
) -> None:
    await browser.log_in("alice")
    token = browser.token or ""
    for _ in range(29):
        time.pass_by(days=1)
        browser.take_token(token)
        assert (await browser.get("/")).status == 200
    time.pass_by(days=1)
    assert (await browser.get("/")).location == "/login"
    assert await WebSession.all().count() == 0


async def test_a_session_ends_when_it_is_not_used(
    browser: Browser, alice: Actor, time: Time
) -> None:
    await browser.log_in("alice")
    time.pass_by(days=7, minutes=1)
    assert (await browser.get("/")).location == "/login"


async def test_sessions_that_nobody_comes_back_to_are_forgotten(
    browser: Browser, alice: Actor, bob: Actor, time: Time
) -> None:
    await browser.log_in("alice")
    time.pass_by(days=31)
    await browser.log_in("bob")
    assert [row.user_id for row in await WebSession.all()] == [bob.user_id]


async def test_who_is_disabled_is_out_at_once_and_stays_out(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("alice")
    assert alice.user_id is not None
    await users.set_user(root, alice.user_id, users.ChangeUser(enabled=False))
    assert (await browser.get("/")).location == "/login"
    assert (await browser.log_in("alice")).status == 401


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("alice")
    assert alice.user_id is not None
    await users.set_password(root, alice.user_id, "another long password")
    assert (await browser.get("/")).location == "/login"


async def test_after_too_many_wrong_passwords_the_right_one_is_refused_too(
    browser: Browser, alice: Actor, time: Time
) -> None:
    for _ in range(20):
        assert (await browser.log_in("alice", "wrong")).status == 401
    answer = await browser.log_in("alice")
    assert answer.status == 403
    assert "Too many wrong passwords" in answer.text
    time.pass_by(days=1, seconds=1)
    assert (await browser.log_in("alice")).status == 303


async def test_capital_letters_give_no_further_tries(browser: Browser, alice: Actor) -> None:
    for number in range(20):
        await browser.log_in("alice" if number % 2 else "ALICE", "wrong")
    assert (await browser.log_in("Alice", "wrong")).status == 403


async def test_passwords_sent_all_at_once_are_limited_as_well(
    browser: Browser, alice: Actor
) -> None:
    """Forty tries on parallel connections must not all pass before the first is counted."""
    guesses = [browser.log_in("alice", f"guess number {number}") for number in range(40)]
    statuses = [answer.status for answer in await asyncio.gather(*guesses)]
    assert statuses.count(401) == 20
    assert statuses.count(403) == 20


async def test_right_passwords_are_not_counted(browser: Browser, alice: Actor) -> None:
    for _ in range(25):
        assert (await browser.log_in("alice")).status == 303


@pytest.mark.parametrize("path", ["/repositories/1", "/repositories/1?before=5", "/?x=1&y=%C3%A9"])
async def test_after_login_one_is_where_one_wanted_to_go(
    browser: Browser, alice: Actor, path: str
) -> None:
    answer = await browser.get(path)
    assert answer.status == 303
    assert answer.location.startswith("/login?next=%2F")
    form = await browser.get(answer.location)
    assert f'name="next" value="{html.escape(path)}"' in form.text
    assert (await browser.log_in("alice", next=path)).location == path


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "///evil.example",
        "evil.example",
        "/\u2044/evil.example",
        "/ok\r\nSet-Cookie: hive=x",
        "",
        "/" + "a" * 3000,
    ],
)
async def test_after_login_nobody_is_sent_to_another_site(
    browser: Browser, alice: Actor, target: str
) -> None:
    assert (await browser.log_in("alice", next=target)).location == "/"
    # Who is logged in already goes on at once.
    answer = await browser.get("/login", params={"next": target})
    assert (answer.status, answer.location) == (303, "/")


@pytest.mark.parametrize("path", ["//evil.example/x", "https://evil.example/x", "/\\evil.example"])
async def test_a_strange_path_of_a_stranger_is_no_target_either(
    browser: Browser, path: str
) -> None:
    head = await browser.raw(f"GET {path} HTTP/1.1\r\nHost: hive\r\nConnection: close\r\n\r\n")
    assert "\r\nLocation: /login" in head or head.startswith("HTTP/1.1 400")
    for line in head.split("\r\n"):
        if line.startswith("Location:"):
            assert line in ("Location: /login", "Location: /login?next=%2Fx")


async def test_a_login_is_noted(browser: Browser, root: Actor, alice: Actor) -> None:
    await browser.log_in("alice", PASSWORD)
    assert (await users.find_user(root, "alice")).last_login_at is not None
