from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from hive.models import AuditEntry, User, WebSession
from hive.services.accounts import users
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.conftest import Time
from tests.web.rows import add_session
from tests.web.test_hostile_text import HOSTILE, check
from web.text import format as formats
from web.text.i18n import Reader, reading

NEW = "another horse battery"


async def test_preferences_are_stored_and_shown(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    fields = {"timezone": "Asia/Kathmandu", "language": "de", "theme": "dark"}
    answer = await browser.post("/account", fields)
    assert (answer.status, answer.location) == (303, "/account")
    page = (await browser.get("/account")).text
    assert '<html lang="de" data-theme="dark">' in page
    assert '<option value="Asia/Kathmandu" selected>' in page
    assert '<option value="de" selected>Deutsch</option>' in page
    assert "Die Einstellungen wurden gespeichert." in page
    user = await User.get(id=alice.user_id)
    assert [user.timezone, user.language, user.theme] == ["Asia/Kathmandu", "de", "dark"]
    await browser.post("/account", {"timezone": "", "language": "", "theme": "system"})
    user = await User.get(id=alice.user_id)
    assert [user.timezone, user.language, user.theme] == [None, None, "system"]
    assert await AuditEntry.filter(action="user.preferences").count() == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"timezone": "../../etc/passwd"}, "no time zone"),
        ({"timezone": "/etc/localtime"}, "no time zone"),
        ({"timezone": "Europe"}, "no time zone"),
        ({"timezone": "x" * 5000}, "no time zone"),
        ({"timezone": "a\0b"}, "no time zone"),
        ({"language": "tlh"}, "The languages are"),
        ({"theme": "neon"}, "The themes are"),
        ({"theme": ""}, "The themes are"),
    ],
)
async def test_a_preference_that_does_not_exist_is_said_at_its_field(
    browser: Browser, alice: Actor, wrong: dict[str, str], said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post(
        "/account", {"timezone": "", "language": "", "theme": "light", **wrong}
    )
    assert answer.status == 422
    assert said in answer.text
    (name,) = wrong
    assert re.search(f'id="{name}"[^>]*aria-describedby="problem-{name}"', answer.text)
    assert f'id="problem-{name}"' in answer.text
    check(answer.text)


async def test_the_theme_is_applied_by_the_server_also_before_login(
    browser: Browser, new_browser: NewBrowser, alice: Actor
) -> None:
    assert "data-theme" not in (await browser.get("/login")).text
    await browser.log_in("alice")
    answer = await browser.post("/account", {"theme": "dark"})
    assert "hive-theme=dark" in answer.cookie
    assert '<html lang="en" data-theme="dark">' in (await browser.get("/")).text
    await browser.post("/logout")
    assert 'data-theme="dark"' in (await browser.get("/login")).text
    other = await new_browser()
    await other.log_in("alice")
    await other.post("/logout")
    assert 'data-theme="dark"' in (await other.get("/login")).text
    stranger = await new_browser()
    for cookie in ('"><script>', "neon", ""):
        text = (await stranger.get("/login", headers={"Cookie": f"hive-theme={cookie}"})).text
        assert "data-theme" not in text


async def test_times_are_shown_in_the_chosen_zone(browser: Browser, alice: Actor) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    session = await add_session(made.id)
    await browser.log_in("alice")
    path = f"/repositories/{made.id}"
    assert formats.moment(session.started_at) in (await browser.get(path)).text
    await browser.post("/account", {"timezone": "Asia/Kathmandu", "theme": "system"})
    page = (await browser.get(path)).text
    with reading(Reader("en", ZoneInfo("Asia/Kathmandu"))):
        assert formats.moment(session.started_at) in page
    assert "data-local" not in page
    # a zone that the system has no more is no reason to fail
    await User.filter(id=alice.user_id).update(timezone="Mars/Olympus")
    assert "data-local" in (await browser.get(path)).text


async def test_the_password_is_changed_by_who_knows_it(
    browser: Browser, new_browser: NewBrowser, alice: Actor
) -> None:
    other = await new_browser()
    await other.log_in("alice")
    await browser.log_in("alice")
    fields = {"password": PASSWORD, "new": NEW, "repeated": NEW}
    answer = await browser.post("/account/password", fields)
    assert (answer.status, answer.location) == (303, "/account/password")
    assert "The password was changed" in (await browser.get("/account/password")).text
    assert (await other.get("/")).location == "/login"
    assert (await other.log_in("alice", PASSWORD)).status == 401
    assert (await other.log_in("alice", NEW)).status == 303
    assert await AuditEntry.filter(action="user.password", actor="alice").count() == 1


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"password": "wrong"}, "password", "not your password"),
        ({"password": ""}, "password", "not your password"),
        ({"repeated": "something else"}, "repeated", "do not match"),
        ({"new": "short", "repeated": "short"}, "new", "must have at least 10 characters"),
    ],
)
async def test_what_is_wrong_with_a_new_password_is_said_at_its_field(
    browser: Browser, alice: Actor, changed: dict[str, str], field: str, said: str
) -> None:
    await browser.log_in("alice")
    fields = {"password": PASSWORD, "new": NEW, "repeated": NEW, **changed}
    answer = await browser.post("/account/password", fields)
    assert answer.status == 422
    assert said in answer.text
    assert f'id="problem-{field}"' in answer.text
    for secret in (PASSWORD, NEW):
        assert secret not in answer.text
    assert await users.authenticate("alice", PASSWORD)


async def test_who_sits_at_an_open_browser_cannot_try_passwords_for_ever(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    fields = {"password": "wrong", "new": NEW, "repeated": NEW}
    for _ in range(20):
        assert (await browser.post("/account/password", fields)).status == 422
    right = {**fields, "password": PASSWORD}
    answer = await browser.post("/account/password", right)
    assert answer.status == 403
    assert "Too many wrong passwords" in answer.text


async def test_the_address_for_mail_is_changed_with_the_password(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    for fields, said in (
        ({"email": "a@example.org", "password": "wrong"}, "not your password"),
        ({"email": "no address", "password": PASSWORD}, "not a valid e-mail address"),
        ({"email": "a@b\r\nBcc: c@d", "password": PASSWORD}, "not a valid e-mail address"),
    ):
        answer = await browser.post("/account/email", fields)
        assert (answer.status, said in answer.text) == (422, True)
        assert (await User.get(id=alice.user_id)).email is None
    fields = {"email": "a@example.org", "password": PASSWORD}
    assert (await browser.post("/account/email", fields)).status == 303
    assert 'value="a@example.org"' in (await browser.get("/account/email")).text
    await browser.post("/account/email", {"email": "", "password": PASSWORD})
    assert (await User.get(id=alice.user_id)).email is None


async def test_sessions_are_listed_and_ended_one_by_one_or_all_others(
    browser: Browser, new_browser: NewBrowser, alice: Actor, bob: Actor
) -> None:
    others = [await new_browser() for _ in range(3)]
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    for other in others:
        other.client.session.headers["User-Agent"] = firefox
        await other.log_in("alice")
    stranger = await new_browser()
    await stranger.log_in("bob")
    await browser.log_in("alice")
    page = (await browser.get("/account/sessions")).text
    check(page)
    assert page.count("Firefox, Linux") >= 3
    assert page.count('/end"') == 3
    assert "This browser" in page
    ids = re.findall(r'action="/account/sessions/(\d+)/end"', page)
    assert (await browser.post(f"/account/sessions/{ids[0]}/end")).status == 303
    assert [(await other.get("/")).status for other in others].count(303) == 1
    theirs = await WebSession.get(user_id=bob.user_id)
    assert (await browser.post(f"/account/sessions/{theirs.id}/end")).status == 404
    assert (await browser.post("/account/sessions/end-others")).status == 303
    assert [(await other.get("/")).status for other in others] == [303] * 3
    assert (await browser.get("/")).status == 200
    assert (await stranger.get("/")).status == 200
    actions = [row.action for row in await AuditEntry.filter(action__startswith="user.session")]
    assert actions == ["user.session.end", "user.session.end_others"]


async def test_a_session_that_ended_by_itself_is_not_listed(
    browser: Browser, new_browser: NewBrowser, alice: Actor, time: Time
) -> None:
    other = await new_browser()
    await other.log_in("alice")
    time.pass_by(days=8)
    await browser.log_in("alice")
    assert '/end"' not in (await browser.get("/account/sessions")).text


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_a_browser_calls_itself_does_nothing(
    browser: Browser, alice: Actor, text: str
) -> None:
    await browser.log_in("alice")
    await WebSession.all().update(user_agent=text[:300], address=text[:64])
    answer = await browser.get("/account/sessions")
    assert answer.status == 200
    check(answer.text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/139.0 Safari/537.36 Edg/139.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/139.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", "Safari, iPhone"),
        ("curl/8.9.1", "curl"),
        ("something", ""),
    ],
)
def test_a_browser_is_named_in_short(said: str, shown: str) -> None:
    assert formats.browser(said) == shown


async def test_every_account_page_is_well_nested_and_marks_its_place(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    for path in ("", "/email", "/password", "/second-factor", "/sessions"):
        answer = await browser.get(f"/account{path}")
        assert answer.status == 200
        check(answer.text)
        assert f'<a href="/account{path}" aria-current="page">' in answer.text
    for path in ("/second-factor/app", "/second-factor/recovery-codes", "/passkeys/new"):
        answer = await browser.get(f"/account{path}")
        assert answer.status == 200
        check(answer.text)
