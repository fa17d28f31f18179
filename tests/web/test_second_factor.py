from __future__ import annotations

import re

import pyotp
import pytest

from hive import clock
from hive.models import AuditEntry, Totp
from hive.services.accounts import attempt_limits, second_factor, users
from hive.services.permissions import Actor
from hive.services.secrets import totp_secret
from tests.web.browser import PASSWORD, Answer, Browser, NewBrowser
from tests.web.conftest import Time
from tests.web.test_hostile_text import check

FACTOR = "/account/second-factor"


def shown_codes(page: str) -> list[str]:
    return re.findall(r"<li><code>([0-9a-z-]{19})</code></li>", page)


async def set_up_app(browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Log in as alice must be done; switches her app on by the pages."""
    assert (await browser.post(f"{FACTOR}/app/begin")).location == f"{FACTOR}/app"
    page = (await browser.get(f"{FACTOR}/app")).text
    found = re.search(r'<code id="secret">([A-Z2-7]{32})</code>', page)
    assert found is not None
    app = pyotp.TOTP(found[1])
    answer = await browser.post(f"{FACTOR}/app", {"code": app.at(clock.now())})
    assert answer.status == 200
    check(answer.text)
    return app, shown_codes(answer.text)


async def code_of_next_step(app: pyotp.TOTP, time: Time) -> str:
    time.pass_by(seconds=30)
    return app.at(time.now)


@pytest.fixture
async def app_and_codes(
    new_browser: NewBrowser, alice: Actor, time: Time
) -> tuple[pyotp.TOTP, list[str]]:
    browser = await new_browser()
    await browser.log_in("alice")
    return await set_up_app(browser)


async def test_an_app_is_set_up_by_picture_or_secret_and_confirmed_by_a_code(
    browser: Browser, alice: Actor, time: Time
) -> None:
    await browser.log_in("alice")
    assert (await browser.get(f"{FACTOR}/app/qr.svg")).status == 404
    await browser.post(f"{FACTOR}/app/begin")
    page = await browser.get(f"{FACTOR}/app")
    check(page.text)
    assert f'src="{FACTOR}/app/qr.svg"' in page.text
    picture = await browser.get(f"{FACTOR}/app/qr.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert picture.headers["Cache-Control"] == "no-store"
    assert picture.text.startswith("<svg")
    assert "style" not in picture.text
    wrong = await browser.post(f"{FACTOR}/app", {"code": "abc"})
    assert wrong.status == 422
    assert 'aria-describedby="problem-code"' in wrong.text
    secret = totp_secret(await Totp.get())
    right = await browser.post(f"{FACTOR}/app", {"code": pyotp.TOTP(secret).at(time.now)})
    assert len(shown_codes(right.text)) == 10
    assert secret not in (await browser.get(f"{FACTOR}/app")).text
    assert (await browser.get(f"{FACTOR}/app/qr.svg")).status == 404
    assert "10 codes are left" in (await browser.get(FACTOR)).text
    assert shown_codes((await browser.get(f"{FACTOR}/recovery-codes")).text) == []


async def test_with_a_second_factor_the_password_is_only_the_first_step(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]], time: Time
) -> None:
    app, _ = app_and_codes
    answer = await browser.log_in("alice", next="/repositories/1")
    assert answer.location == "/login/second?next=%2Frepositories%2F1"
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=300"} <= set(answer.cookie.split("; "))
    assert browser.token is None
    page = await browser.get(answer.location)
    assert page.status == 200
    check(page.text)
    code = await code_of_next_step(app, time)
    answer = await browser.post("/login/second", {"code": code, "next": "/repositories/1"})
    assert (answer.status, answer.location) == (303, "/repositories/1")
    assert (await browser.get("/")).status == 200


async def test_a_login_between_its_steps_opens_no_page(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]]
) -> None:
    """Who knows the password alone tries what they got in place of a session."""
    answer = await browser.log_in("alice")
    waiting = answer.cookie.partition("=")[2].partition(";")[0]
    for name in ("hive", "hive-login", "__Host-hive"):
        headers = {"Cookie": f"{name}={waiting}; hive-login={waiting}"}
        for path in ("/", "/account", FACTOR, f"{FACTOR}/app/qr.svg", "/account/sessions"):
            answer = await browser.get(path, headers=headers)
            assert answer.location.startswith("/login")
        assert (await browser.ask("POST", "/logout", headers=headers)).status in (401, 403)


async def test_a_code_that_was_used_is_refused(
    browser: Browser,
    new_browser: NewBrowser,
    app_and_codes: tuple[pyotp.TOTP, list[str]],
    time: Time,
) -> None:
    app, _ = app_and_codes
    code = await code_of_next_step(app, time)
    await browser.log_in("alice")
    assert (await browser.post("/login/second", {"code": code})).status == 303
    other = await new_browser()
    await other.log_in("alice")
    answer = await other.post("/login/second", {"code": code})
    assert answer.status == 422
    assert "used already" in answer.text
    assert other.token is None
    entry = await AuditEntry.get(action="user.second_factor.wrong")
    assert (entry.actor, entry.details) == ("alice", {"by": "code"})


async def test_a_second_step_is_done_once(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]], time: Time
) -> None:
    app, codes = app_and_codes
    answer = await browser.log_in("alice")
    waiting = answer.cookie.partition(";")[0]
    code = await code_of_next_step(app, time)
    assert (await browser.post("/login/second", {"code": code})).status == 303
    headers = {"Cookie": waiting, "Origin": browser.origin}
    data = {"recovery_code": codes[0]}
    answer = await browser.ask("POST", "/login/second", data=data, headers=headers)
    assert answer.location == "/login?again=yes"
    assert (await second_factor.factors_of(1)).recovery_codes in (0, 10)


async def test_a_recovery_code_is_a_second_step_once(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]]
) -> None:
    _, codes = app_and_codes
    await browser.log_in("alice")
    assert (await browser.post("/login/second", {"recovery_code": codes[3]})).status == 303
    assert (await browser.get("/")).status == 200
    assert "9 codes are left" in (await browser.get(FACTOR)).text
    await browser.post("/logout")
    await browser.log_in("alice")
    answer = await browser.post("/login/second", {"recovery_code": codes[3]})
    assert answer.status == 422
    assert '<details class="panel" open>' in answer.text
    check(answer.text)


async def test_wrong_codes_are_limited_for_all_logins_of_the_account(
    new_browser: NewBrowser,
    app_and_codes: tuple[pyotp.TOTP, list[str]],
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new first step for each guess does not go round the limit, nor do recovery codes."""
    monkeypatch.setattr(attempt_limits, "_STEP_SECONDS", 0)  # slowing down is not what counts here
    app, codes = app_and_codes
    browser = await new_browser(trusted_proxies=("127.0.0.1/32",))

    async def guess(number: int, **fields: str) -> Answer:
        browser.client.session.headers["X-Forwarded-For"] = f"10.{number}.0.2"
        if number % 7 == 0:
            await browser.log_in("alice")
        return await browser.post("/login/second", fields)

    for number in range(100):
        kind = "code" if number % 2 else "recovery_code"
        assert (await guess(number, **{kind: "999999x"})).status == 422
    code = await code_of_next_step(app, time)
    for fields in ({"code": code}, {"recovery_code": codes[0]}):
        answer = await guess(101, **fields)
        assert answer.status == 403
        assert "Too many wrong codes" in answer.text
    assert browser.token is None


async def test_the_second_step_waits_for_five_minutes(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]], time: Time
) -> None:
    app, _ = app_and_codes
    await browser.log_in("alice")
    time.pass_by(minutes=5)
    answer = await browser.post("/login/second", {"code": app.at(time.now), "next": "/?x"})
    assert answer.location == "/login?next=%2F%3Fx&again=yes"
    assert "took too long" in (await browser.get(answer.location)).text


async def test_a_waiting_login_ends_with_the_password_it_began_with(
    browser: Browser,
    root: Actor,
    alice: Actor,
    app_and_codes: tuple[pyotp.TOTP, list[str]],
) -> None:
    """Alice notices that somebody knows her password and changes it, while they seek her phone."""
    _, codes = app_and_codes
    await browser.log_in("alice")
    await users.set_password(root, alice.user_id or 0, "another horse battery")
    answer = await browser.post("/login/second", {"recovery_code": codes[0]})
    assert answer.location == "/login?again=yes"
    assert browser.token is None


async def test_who_is_disabled_between_the_steps_does_not_come_in(
    browser: Browser,
    root: Actor,
    alice: Actor,
    app_and_codes: tuple[pyotp.TOTP, list[str]],
) -> None:
    _, codes = app_and_codes
    await browser.log_in("alice")
    await users.set_user(root, alice.user_id or 0, users.ChangeUser(enabled=False))
    answer = await browser.post("/login/second", {"recovery_code": codes[0]})
    assert answer.location == "/login?again=yes"


async def test_who_begins_again_and_again_pushes_out_only_their_own_logins(
    browser: Browser,
    new_browser: NewBrowser,
    app_and_codes: tuple[pyotp.TOTP, list[str]],
    bob: Actor,
) -> None:
    bobs = await new_browser()
    await bobs.log_in("bob")
    _, codes = await set_up_app(bobs)
    await bobs.log_in("bob")
    await browser.log_in("alice")
    many = await new_browser()
    for _ in range(10):
        await many.log_in("alice")
    assert (await browser.get("/login/second")).location == "/login?again=yes"
    assert (await bobs.post("/login/second", {"recovery_code": codes[0]})).status == 303


@pytest.mark.parametrize("cookie", ["", "x", "a" * 5000, "é"])
async def test_without_a_first_step_there_is_no_second(browser: Browser, cookie: str) -> None:
    headers = {"Cookie": f"hive-login={cookie}", "Origin": browser.origin}
    assert (await browser.get("/login/second", headers=headers)).location == "/login?again=yes"
    data = {"code": "123456"}
    answer = await browser.ask("POST", "/login/second", data=data, headers=headers)
    assert answer.location == "/login?again=yes"


async def test_a_wrong_password_looks_the_same_with_a_second_factor(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]]
) -> None:
    wrong = await browser.log_in("alice", "wrong")
    nobody = await browser.log_in("nobody", "wrong")
    assert wrong.status == nobody.status == 401
    assert wrong.cookie == nobody.cookie == ""
    assert wrong.text.replace("alice", "nobody") == nobody.text


async def test_removing_the_app_takes_the_password(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]], time: Time
) -> None:
    app, _ = app_and_codes
    await browser.log_in("alice")
    await browser.post("/login/second", {"code": await code_of_next_step(app, time)})
    for password in ("", "wrong"):
        answer = await browser.post(f"{FACTOR}/app/remove", {"password": password})
        assert answer.status == 422
        assert 'id="problem-password"' in answer.text
    assert await Totp.exists()
    assert (await browser.post(f"{FACTOR}/app/remove", {"password": PASSWORD})).status == 303
    await browser.post("/logout")
    assert (await browser.log_in("alice")).location == "/"


async def test_new_recovery_codes_take_the_password(
    browser: Browser, app_and_codes: tuple[pyotp.TOTP, list[str]], time: Time
) -> None:
    app, codes = app_and_codes
    await browser.log_in("alice")
    await browser.post("/login/second", {"code": await code_of_next_step(app, time)})
    answer = await browser.post(f"{FACTOR}/recovery-codes", {"password": "wrong"})
    assert (answer.status, shown_codes(answer.text)) == (422, [])
    answer = await browser.post(f"{FACTOR}/recovery-codes", {"password": PASSWORD})
    fresh = shown_codes(answer.text)
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)


async def test_the_secret_and_the_codes_are_in_no_audit_entry(
    app_and_codes: tuple[pyotp.TOTP, list[str]],
) -> None:
    app, codes = app_and_codes
    text = str([row.__dict__ for row in await AuditEntry.all()])
    assert "user.totp.on" in text
    assert app.secret not in text
    assert all(code not in text for code in codes)
