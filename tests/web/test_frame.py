"""What every page has: ways, messages, times in the viewer's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hive.services.permissions import Actor
from tests.web.browser import Browser, NewBrowser
from web.flashes import Flash, Flashes
from web.text import format as formats
from web.text.i18n import Reader, reading

AT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


def test_times_are_in_the_viewers_zone_with_utc_on_hover() -> None:
    with reading(Reader("en", ZoneInfo("Europe/Berlin"))):
        assert formats.moment(AT) == (
            '<time datetime="2026-07-01T22:30:00Z" title="2026-07-01 22:30:00 UTC">'
            "2026-07-02 00:30</time>"
        )
    with reading(Reader("en")):
        assert "data-local>2026-07-01 22:30 UTC<" in formats.moment(AT)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"),
        (["a", 1, False], "a, 1, no"),
        ({"x": None, "y": ["z"]}, "x: \u2013, y: z"),
        ("text", "text"),
    ],
)
def test_json_is_shown_as_people_write_it(value: object, said: str) -> None:
    assert formats.plain(value) == said


async def test_ways_lead_to_pages_that_exist_and_say_where_one_is(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    for name, is_admin in (("alice", False), ("root", True)):
        await browser.log_in(name)
        text = (await browser.get("/keys")).text
        navigation = text.partition('<nav class="ways"')[2].partition("</nav>")[0]
        assert '<a href="/keys" aria-current="page">Keys</a>' in navigation
        assert navigation.count("aria-current") == 1
        assert ('href="/admin"' in navigation) is is_admin
        for path in navigation.split('href="')[1:]:
            assert (await browser.get(path.partition('"')[0])).status == 200


async def test_strangers_see_no_ways(browser: Browser) -> None:
    assert "<nav" not in (await browser.get("/login")).text


async def test_a_message_is_for_the_one_it_was_meant_for_and_is_said_once(
    browser: Browser, new_browser: NewBrowser, alice: Actor, bob: Actor
) -> None:
    await browser.log_in("alice")
    other = await new_browser()
    await other.log_in("bob")
    await browser.post("/repositories/add", {"name": "documents"})
    assert "documents" not in (await other.get("/")).text
    assert (await browser.get("/nothing")).status == 404  # an error page does not use it up
    assert "The repository documents was added." in (await browser.get("/keys")).text
    assert "was added" not in (await browser.get("/keys")).text


def test_messages_that_nobody_fetches_do_not_pile_up() -> None:
    flashes = Flashes()
    for number in range(2000):
        flashes.add(f"token {number}", Flash("x"))
    assert flashes.take("token 0") == []
    for number in range(50):
        flashes.add("one", Flash(str(number)))
    assert [flash.text for flash in flashes.take("one")] == ["45", "46", "47", "48", "49"]
    assert flashes.take("one") == []
