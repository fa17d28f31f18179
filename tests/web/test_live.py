"""What open pages are told while things happen, and what they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, web

from hive import clock, long_work, signals
from hive.kinds import EventKind
from hive.long_work import WorkKind
from hive.meter import Unit
from hive.services import events as noted
from hive.services import runtime
from hive.services.accounts import users
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from hive.signals import RightsChanged, SessionProgress
from tests.web.browser import Browser, NewBrowser
from tests.web.rows import RUNNING, add_session
from web.pages import live

DEADLINE = 10.0  # seconds


class Stream:
    """An open page's connection."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, Any]:
        """The name and the data of what is told next; pings are skipped."""
        async with asyncio.timeout(DEADLINE):
            found: dict[str, str] = {}
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\r\n").partition(": ")
                if name:
                    found[name] = value
                elif "event" in found:
                    data = found.get("data", "")
                    return found["event"], json.loads(data) if data else None
        raise EOFError

    async def has_ended(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            await self.response.content.read()
        return True


@asynccontextmanager
async def following(browser: Browser) -> AsyncIterator[Stream]:
    async with browser.client.get("/live", allow_redirects=False) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PATIENCE", 0.1)


def _standing_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


async def _made(alice: Actor, name: str = "documents") -> int:
    return (await catalogue.add_repository(alice, name, owner="alice")).id


async def test_who_may_see_a_repository_is_told_that_something_happened(
    browser: Browser, alice: Actor
) -> None:
    made = await _made(alice)
    await browser.log_in("alice")
    async with following(browser) as stream:
        await noted.record(made, EventKind.OPENED, "Key laptop opened it.")
        assert await stream.next() == ("changed", None)


async def test_nobody_is_told_of_what_they_may_not_see(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser()
    bob = (
        await users.add_user(OPERATOR, users.AddUser(name="bob", password="correct horse battery"))
    ).actor(alice.source, None)
    secret, own = await _made(alice), (await catalogue.add_repository(bob, "own", owner="bob"))
    hidden = await add_session(secret, minutes_ago=1, **RUNNING)
    shown = await add_session(own.id, minutes_ago=1, **RUNNING)
    await browser.log_in("bob")
    async with following(browser) as stream:
        await noted.record(secret, EventKind.OPENED, "Opened.")
        signals.tell(SessionProgress(hidden.id, 1_000, 0, 0))
        signals.tell(SessionProgress(shown.id, 2_000_000, 3_000, 0))
        name, told = await stream.next()
        assert name == "progress"
        assert [(one["session"], one["in"], one["out"]) for one in told] == [
            (shown.id, "2.00 MB", "3.00 kB")
        ]
        assert told[0]["took"].startswith("1m")


async def test_however_much_happens_only_the_newest_progress_is_kept(
    browser: Browser, alice: Actor
) -> None:
    session = await add_session(await _made(alice), minutes_ago=1, **RUNNING)
    await browser.log_in("alice")
    async with following(browser) as stream:
        for count in range(1000):
            signals.tell(SessionProgress(session.id, count * 1_000_000, 0, 0))
        _, told = await stream.next()
        assert [one["in"] for one in told] == ["999.00 MB"]


async def test_the_stream_ends_with_the_login(
    browser: Browser, new_browser: NewBrowser, alice: Actor
) -> None:
    await browser.log_in("alice")
    async with following(browser) as stream:
        await browser.post("/logout")
        assert await stream.has_ended()
    await browser.log_in("alice")
    async with following(browser) as stream:
        assert alice.user_id is not None
        await users.set_user(OPERATOR, alice.user_id, users.ChangeUser(enabled=False))
        assert await stream.has_ended()


async def test_an_open_page_alone_does_not_keep_a_login_alive(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    too_long = clock.now() + timedelta(hours=runtime.settings().web.session_idle_hours)
    async with following(browser) as stream:
        clock.use(_standing_at(too_long - timedelta(hours=1)))
        signals.tell(RightsChanged("a test"))
        assert await stream.next() == ("changed", None)
        clock.use(_standing_at(too_long + timedelta(hours=1)))
        assert await stream.has_ended()


async def test_open_pages_do_not_hold_up_the_end_of_the_server(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    app = browser.client.app
    assert isinstance(app, web.Application)
    async with following(browser) as stream:
        await live.end_all(app)
        assert await stream.has_ended()


async def test_a_page_that_reads_itself_anew_takes_no_message_from_another(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    await browser.post("/repositories/add", {"name": "photos", "owner": "alice"})
    assert "was added" not in (await browser.get("/", headers={"X-Renew": "yes"})).text
    assert "was added" in (await browser.get("/")).text


async def test_a_browser_that_leaves_at_once_is_no_error(
    browser: Browser, alice: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    await browser.log_in("alice")
    request = f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: hive={browser.token}\r\n\r\n".encode()
    for number in range(40):
        _, writer = await asyncio.open_connection(browser.client.host, browser.client.port)
        writer.write(request)
        await writer.drain()
        for _ in range(number):  # it leaves at another step of the answer each time
            await asyncio.sleep(0)
        writer.transport.abort()
    await asyncio.sleep(0.3)
    assert (await browser.get("/")).status == 200
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


async def test_a_stream_whose_connection_is_gone_does_not_begin(
    browser: Browser, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser left while the server looked up who it is."""
    await browser.log_in("alice")
    with monkeypatch.context() as gone:
        gone.setattr(web.BaseRequest, "transport", None)
        answer = await browser.get("/live")
    assert (answer.status, answer.headers["Content-Length"]) == (200, "0")


async def test_how_far_long_work_is_is_told_to_who_may_see_the_repository(
    browser: Browser,
    new_browser: NewBrowser,
    alice: Actor,
    bob: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_work, "_TELL_EVERY", 0.05)
    made = await _made(alice)
    await browser.log_in("alice")
    other = await new_browser()
    await other.log_in("bob")
    async with following(browser) as hers, following(other) as his:
        async with long_work.under_way(made, WorkKind.CHECK) as work:
            assert await hers.next() == ("changed", None)  # it has begun
            work.meter.reach(7, 10, Unit.SEGMENTS)
            name, (told,) = await hers.next()
            assert name == "work"
            assert told == {
                "work": f"{made}-check",
                "percent": 70,
                "share": "70 %",
                "amount": "7 of 10 segments",
                "left": "70 %.",
            }
            page = (await browser.get(f"/repositories/{made}")).text
            assert page.count(f'data-work="{made}-check"') <= 2
        assert await hers.next() == ("changed", None)  # it is over
        signals.tell(RightsChanged("something else"))
        assert await his.next() == ("changed", None)
