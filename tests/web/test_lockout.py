"""Wrong passwords keep out whoever sends them, and never the person whose account it is."""

from __future__ import annotations

import asyncio
import time as wall
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import TCPConnector
from aiohttp.test_utils import TestClient, TestServer

from hive import background, control, control_server, signals
from hive.config.settings import Settings
from hive.models import AuditEntry, Delivery, KnownBrowser, Notification
from hive.services.accounts import attempt_limits, own_account, password_resets, users
from hive.services.notifications import channels
from hive.services.permissions import OPERATOR, Actor
from tests.web.browser import PASSWORD, Browser
from tests.web.conftest import Health
from web.app import create_app

LIMIT = 20
STRANGER, HOME, OFFICE = "127.0.0.66", "127.0.0.2", "127.0.0.3"
BrowserAt = Callable[[str], Awaitable[Browser]]


@pytest.fixture
async def browser_at(settings: Settings, health: Health) -> AsyncIterator[BrowserAt]:
    """Makes a browser that comes from an address of the loopback network."""
    server = TestServer(create_app(settings, health=health))
    await server.start_server()
    clients: list[TestClient[Any, Any]] = []

    async def make(address: str) -> Browser:
        client = TestClient(server, connector=TCPConnector(local_addr=(address, 0)))
        await client.start_server()
        clients.append(client)
        return Browser(client)

    yield make
    for client in clients:
        await client.close()
    await server.close()


async def guess(browser: Browser, name: str, times: int) -> list[int]:
    return [(await browser.log_in(name, f"wrong guess {n}")).status for n in range(times)]


async def guess_from_many(browser_at: BrowserAt, name: str, times: int) -> None:
    """Wrong passwords from networks of which none sends too many; they need not wait here."""
    with pytest.MonkeyPatch.context() as at_once:
        at_once.setattr(attempt_limits, "_STEP_SECONDS", 0)
        for start in range(0, times, 10):
            browser = await browser_at(f"127.0.7.{start // 10 + 1}")
            await guess(browser, name, min(10, times - start))


async def quietly() -> None:
    """Until what was started in the background has ended."""
    while tasks := [one for one in background.tasks if one is not asyncio.current_task()]:
        await asyncio.wait(tasks)


async def test_wrong_passwords_from_one_network_refuse_that_network_alone(
    browser_at: BrowserAt, alice: Actor
) -> None:
    stranger = await browser_at(STRANGER)
    assert await guess(stranger, "alice", LIMIT) == [401] * LIMIT
    refused = await stranger.log_in("alice")
    assert refused.status == 403
    assert "Too many wrong passwords" in refused.text
    begun = wall.monotonic()
    assert (await (await browser_at(HOME)).log_in("alice")).status == 303
    assert wall.monotonic() - begun < 1


async def test_variants_of_the_name_count_as_one(browser_at: BrowserAt, alice: Actor) -> None:
    stranger = await browser_at(STRANGER)
    for name in ("alice", "ALICE", " Alice ", "aLiCe"):
        await guess(stranger, name, LIMIT // 4)
    assert (await stranger.log_in("alice")).status == 403
    assert attempt_limits.limits().passwords.number("Alice") == LIMIT


async def test_unknown_names_are_answered_like_known_ones(
    browser_at: BrowserAt, alice: Actor
) -> None:
    answers = []
    for address, name in ((STRANGER, "alice"), (HOME, "nobody")):
        browser = await browser_at(address)
        statuses = await guess(browser, name, LIMIT + 2)
        last = await browser.log_in(name, "wrong again")
        answers.append((statuses, last.status, last.text.replace(name, "NAME")))
    assert answers[0] == answers[1]


async def test_forwarded_addresses_of_strangers_are_not_believed(
    browser_at: BrowserAt, alice: Actor
) -> None:
    stranger = await browser_at(STRANGER)
    stranger.client.session.headers["X-Forwarded-For"] = "192.0.2.1"
    await guess(stranger, "alice", LIMIT)
    stranger.client.session.headers["X-Forwarded-For"] = "192.0.2.2"
    assert (await stranger.log_in("alice")).status == 403


async def test_guesses_from_many_networks_only_slow_the_account_down(
    browser_at: BrowserAt, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guess_from_many(browser_at, "alice", 2 * LIMIT)
    begun = wall.monotonic()
    assert (await (await browser_at(HOME)).log_in("alice")).status == 303
    assert 1 < wall.monotonic() - begun < 4
    for _ in range(1000):
        attempt_limits.limits().passwords._by_account.count("alice")
    attempt = attempt_limits.limits().passwords.attempt("alice", OFFICE)
    assert attempt.delay == 3  # however many there are


async def test_few_attempts_of_one_network_wait_at_the_same_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [
        attempt_limits.slow_down(attempt_limits.Attempt((), STRANGER, delay=0.5)) for _ in range(30)
    ]
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(one is not None for one in done) == 20
    await attempt_limits.slow_down(attempt_limits.Attempt((), HOME, delay=0.01))


async def test_a_browser_that_logged_in_before_is_not_concerned(
    browser_at: BrowserAt, alice: Actor
) -> None:
    known = await browser_at(STRANGER)  # the same network as the stranger's
    answer = await known.log_in("alice")
    cookies = " ".join(answer.headers.getall("Set-Cookie"))
    assert "hive-browser=" in cookies
    assert cookies.count("HttpOnly") == cookies.count("SameSite=Lax") == 2
    await known.post("/logout")
    await guess(await browser_at(STRANGER), "alice", LIMIT + 5)
    await guess_from_many(browser_at, "alice", 2 * LIMIT)
    begun = wall.monotonic()
    assert (await known.log_in("alice")).status == 303
    assert wall.monotonic() - begun < 1


async def test_a_known_browser_may_not_guess_without_end_nor_for_others(
    browser_at: BrowserAt, alice: Actor, bob: Actor
) -> None:
    known = await browser_at(STRANGER)
    await known.log_in("alice")
    assert await guess(known, "alice", LIMIT + 1) == [401] * LIMIT + [403]
    assert await guess(known, "bob", LIMIT + 1) == [401] * LIMIT + [403]


async def test_made_up_and_endless_browser_cookies_are_worth_nothing(
    browser_at: BrowserAt, alice: Actor
) -> None:
    stranger = await browser_at(STRANGER)
    jar = stranger.client.session.cookie_jar
    for token in ("x" * 43, "x" * 5000, "", "'; DROP TABLE user"):
        jar.update_cookies({"hive-browser": token}, stranger.client.make_url("/"))
        await guess(stranger, "alice", LIMIT // 4)
    assert (await stranger.log_in("alice")).status == 403


async def test_few_browsers_of_a_user_are_known(browser_at: BrowserAt, alice: Actor) -> None:
    for _ in range(13):
        await (await browser_at(HOME)).log_in("alice")
    assert await KnownBrowser.filter(user_id=alice.user_id).count() == 10
    tokens = await KnownBrowser.all().values_list("token_sha256", flat=True)
    assert all(len(str(token)) == 64 for token in tokens)  # never the token itself


@pytest.mark.parametrize("is_forgotten", [True, False])
async def test_a_new_password_forgets_the_other_browsers_if_wanted(
    browser_at: BrowserAt, alice: Actor, is_forgotten: bool
) -> None:
    here, other = await browser_at(HOME), await browser_at(OFFICE)
    await here.log_in("alice")
    await other.log_in("alice")
    new = "a new and better password"
    fields = {"password": PASSWORD, "new": new, "repeated": new}
    if is_forgotten:
        fields["forget_browsers"] = "yes"
    answer = await here.post("/account/password", fields)
    assert answer.status == 303
    assert await KnownBrowser.all().count() == (1 if is_forgotten else 2)
    await guess(await browser_at(HOME), "alice", LIMIT)
    assert (await here.log_in("alice", new)).status == 303


async def test_a_reset_link_clears_the_count_and_makes_the_browser_known(
    browser_at: BrowserAt, alice: Actor
) -> None:
    mine = await browser_at(HOME)
    await mine.log_in("alice")
    await guess(await browser_at(STRANGER), "alice", LIMIT)
    forgetful = await browser_at(STRANGER)
    assert (await forgetful.log_in("alice")).status == 403
    assert alice.user_id is not None
    link = await users.reset_link(OPERATOR, alice.user_id)
    path = "/reset/" + link.url.rpartition("/")[2]
    new = "a new and better password"
    answer = await forgetful.post(path, {"password": new, "repeated": new})
    assert answer.location == "/login?changed"
    assert (await forgetful.log_in("alice", new)).status == 303
    assert await KnownBrowser.filter(user_id=alice.user_id).count() == 1  # the former is not


async def test_a_reset_link_works_where_other_names_used_up_the_network(
    browser_at: BrowserAt, alice: Actor
) -> None:
    await guess(await browser_at(STRANGER), "somebody-else", LIMIT)
    forgetful = await browser_at(STRANGER)
    assert (await forgetful.log_in("alice")).status == 403
    assert alice.user_id is not None
    path = "/reset/" + (await users.reset_link(OPERATOR, alice.user_id)).url.rpartition("/")[2]
    await forgetful.post(path, {"password": PASSWORD, "repeated": PASSWORD})
    assert (await forgetful.log_in("alice")).status == 303


async def test_an_administrator_clears_the_count(
    browser_at: BrowserAt, root: Actor, alice: Actor
) -> None:
    await guess(await browser_at(STRANGER), "alice", LIMIT)
    admin = await browser_at(OFFICE)
    await admin.log_in("root")
    page = await admin.get(f"/admin/users/{alice.user_id}")
    assert f"{LIMIT} within a day" in page.text
    assert (await admin.post(f"/admin/users/{alice.user_id}/unlock")).status == 303
    assert (await (await browser_at(STRANGER)).log_in("alice")).status == 303


async def test_a_password_from_the_server_itself_clears_the_count(
    browser_at: BrowserAt, alice: Actor
) -> None:
    await guess(await browser_at(STRANGER), "alice", LIMIT)
    assert alice.user_id is not None
    await users.set_password(OPERATOR, alice.user_id, "set on the command line")
    browser = await browser_at(STRANGER)
    assert (await browser.log_in("alice", "set on the command line")).status == 303


async def test_commands_tell_the_running_server(settings: Settings, alice: Actor) -> None:
    assert alice.user_id is not None
    told = signals.TriesForgiven(alice.user_id, "alice")
    assert control_server._decode(control._encode(told)) == told
    for _ in range(LIMIT):
        attempt_limits.limits().passwords.attempt("alice", STRANGER)
    attempt_limits.on_happening(told)
    attempt_limits.limits().passwords.attempt("alice", STRANGER)


async def test_the_person_is_warned_once_for_each_incident(
    browser_at: BrowserAt, root: Actor, alice: Actor
) -> None:
    phone = {"server": "https://ntfy.example.org", "topic": "alice"}
    await channels.add(alice, "phone", owner="alice", kind="ntfy", settings=phone)
    await guess_from_many(browser_at, "ALICE", LIMIT + 10)
    await quietly()
    assert await AuditEntry.filter(action="user.login.guessed").count() == 1
    told = await Notification.get()
    assert (told.user_id, told.title) == (alice.user_id, "Many wrong passwords for your account")
    assert "Your account is not locked" in told.text
    assert [one.channel_name for one in await Delivery.all()] == ["phone"]
    await users.unlock(OPERATOR, alice.user_id or 0)
    await guess(await browser_at(STRANGER), "alice", LIMIT)
    await guess(await browser_at(OFFICE), "no-such-user", LIMIT)
    await quietly()
    assert await AuditEntry.filter(action="user.login.guessed").count() == 2
    assert await Notification.all().count() == 2


async def test_guesses_of_strangers_do_not_keep_people_from_changing_their_password(
    browser_at: BrowserAt, alice: Actor
) -> None:
    mine = await browser_at(STRANGER)
    await mine.log_in("alice")
    await guess(await browser_at(STRANGER), "alice", LIMIT)
    new = "a new and better password"
    fields = {"password": PASSWORD, "new": new, "repeated": new}
    assert (await mine.post("/account/password", fields)).location == "/account/password"


async def test_who_is_logged_in_may_not_guess_the_password_without_end(
    browser_at: BrowserAt, alice: Actor, bob: Actor
) -> None:
    for _ in range(LIMIT):
        with pytest.raises(Exception, match="not your password"):
            await own_account.require_password(alice, "wrong wrong wrong")
    with pytest.raises(Exception, match="Too many"):
        await own_account.require_password(alice, PASSWORD)
    await own_account.require_password(bob, PASSWORD)  # whom this does not concern


async def test_codes_are_limited_for_the_account_as_a_whole(settings: Settings) -> None:
    account = attempt_limits.codes_account(1)
    for number in range(5 * LIMIT):
        attempt_limits.limits().codes.attempt(account, f"127.0.8.{number % 100}")
    with pytest.raises(Exception, match="Too many wrong codes"):
        attempt_limits.limits().codes.attempt(account, HOME)
    attempt_limits.limits().codes.attempt(account, HOME, "a browser that is known")


async def test_memory_is_bounded(settings: Settings) -> None:
    for number in range(12_000):
        attempt_limits.limits().passwords._by_account.count(f"name {number}")
        attempt_limits.limits().passwords._by_account.count("alice")
    assert len(attempt_limits.limits().passwords._by_account._times) <= 10_000
    assert len(attempt_limits.limits().passwords._by_account._times["alice"]) <= 10_000


async def test_reset_mails_are_limited(settings: Settings) -> None:
    for _ in range(10):
        password_resets.request_by_mail("alice", address=STRANGER)
    with pytest.raises(Exception, match="Too many of these requests"):
        password_resets.request_by_mail("alice", address=STRANGER)
    password_resets.request_by_mail("alice", address=HOME)
    await quietly()
