"""The overview and the wall of 33 repositories in a real browser: what is on the first screen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from hive.models import Repository
from tests.chromium import ARGUMENTS, PATH
from tests.web.browser import NewBrowser
from tests.web.crowd import COUNT, make_crowd
from tests.web.test_browser import AXE, LOOKS, PICTURES, RUN_AXE, Watch, log_in

pytestmark = pytest.mark.long

# How many whole rows are on a screen of this size.
_ROWS = """() => {
  const height = innerHeight;
  return [...document.querySelectorAll(".list tbody tr[id]")]
    .filter((row) => row.getBoundingClientRect().bottom <= height).length;
}"""
_TALLEST = """() => Math.max(...[...document.querySelectorAll(".list tbody tr[id]")]
  .map((row) => row.getBoundingClientRect().height))"""


@pytest.fixture
async def page(new_browser: NewBrowser) -> AsyncIterator[Page]:
    """Logged in as an administrator, at the overview of all."""
    server = await new_browser()
    await make_crowd()
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        watch = Watch(page, server.origin)
        await log_in(page, server.origin)
        yield page
        assert [one for one in watch.wrong if "ERR_FAILED" not in one] == []  # what a test cut off
        await browser.close()


async def _names(page: Page) -> list[str]:
    return await page.locator(".list .name > a").all_inner_texts()


async def test_as_many_rows_are_on_the_first_screen_as_were_promised(page: Page) -> None:
    for density, width, height, rows in (
        ("normal", 1440, 900, 20),
        ("compact", 1440, 900, 26),
        ("normal", 1920, 1080, 25),
        ("compact", 1920, 1080, COUNT),
    ):
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(re.sub(r"/[^/]*$", f"/?density={density}", page.url))
        await page.screenshot(path=PICTURES / f"overview-33-{density}.{width}.png")
        assert await page.evaluate(_ROWS) >= rows, (density, width)
        assert await page.evaluate(_TALLEST) <= (37 if density == "normal" else 28)
    # the density was remembered
    await page.goto(page.url.partition("?")[0])
    assert await page.evaluate(_TALLEST) <= 28


async def test_on_a_phone_the_first_repository_is_on_the_first_screen(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(page.url)
    await page.screenshot(path=PICTURES / "overview-33.390.png", full_page=True)
    box = await page.locator(".list tbody tr[id]").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 844
    await page.click(".to-attention a")
    heading = await page.locator("#attention").bounding_box()
    assert heading is not None
    assert heading["y"] < 844


async def test_chips_heads_and_groups_lead_to_what_they_say(page: Page) -> None:
    assert await page.inner_text("h1") == "33 repositories"
    said = " ".join((await page.inner_text(".chips")).split())
    for words in ("2 critical", "2 down", "14 late", "2 backing up", "5 fine", "3 not watched"):
        assert words in said
    assert (await _names(page))[:4] == ["documents", "nas-photos", "db-postgres-main", "server-web"]
    await page.click("#chip-late")
    await page.wait_for_url("**/?state=late")
    assert len(await _names(page)) == 14
    await page.click("#chip-late")
    await page.wait_for_url(re.compile(r"/$"))
    await page.click("thead >> text=Repository")
    names = await _names(page)
    assert names == sorted(names)
    assert await page.get_attribute("thead th:nth-child(3)", "aria-sort") == "ascending"
    await page.click("thead >> text=Repository")
    assert await _names(page) == names[::-1]
    await page.click("nav[aria-label=Group] >> text=owner")
    groups = await page.locator(".list .group").all_inner_texts()
    assert groups == ["alice", "anna", "dmitri", "fatima"]


async def test_the_list_follows_what_is_typed_and_a_slash_leads_there(page: Page) -> None:
    await page.keyboard.press("/")
    await page.keyboard.type("postgres")
    rows = page.locator(".list tbody tr[id]")
    await expect(rows).to_have_count(2)
    assert await _names(page) == ["db-postgres-main", "db-postgres-replica"]
    assert page.url.endswith("/?q=postgres")
    assert await page.input_value("#q") == "postgres"
    await page.fill("#q", "#laptop")
    await expect(rows).to_have_count(8)
    assert all("laptop" in one for one in await page.locator(".list .name").all_inner_texts())


async def test_what_is_selected_stays_so_while_the_page_renews_itself(page: Page) -> None:
    button = page.locator("text=Change selected")
    await expect(button).to_be_hidden()
    third = page.locator(".pick input").nth(2)
    repository = await third.get_attribute("value")
    await third.check()
    await expect(button).to_be_in_viewport()
    await Repository.filter(name="homeassistant").update(health="down")
    await page.evaluate("document.dispatchEvent(new Event('renew'))")
    await expect(page.locator("#chip-down b")).to_have_text("3")
    assert await page.locator(f"#pick-{repository}").is_checked()
    assert await page.locator(".pick :checked").count() == 1
    await page.click("text=Clear selection")
    await expect(button).to_be_hidden()


async def test_without_scripts_enter_finds_and_a_button_answers(
    new_browser: NewBrowser,
) -> None:
    server = await new_browser()
    await make_crowd()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        page = await browser.new_page(java_script_enabled=False)
        await log_in(page, server.origin)
        await page.fill("#q", "postgres")
        async with page.expect_navigation():
            await page.press("#q", "Enter")
        assert await page.locator(".list tbody tr[id]").count() == 2
        names = await _names(page)
        for row in (await page.locator(".pick input").all())[:2]:
            await row.check()
        async with page.expect_navigation():
            await page.click("text=Change selected")
        picked = page.locator(".box:has(:checked) bdi:first-child")
        assert set(names) <= set(await picked.all_inner_texts())
        assert await page.locator(".box").count() == 2
        await page.goto(server.origin)
        lines = await page.locator(".alarms li").count()
        assert 0 < lines <= 6
        async with page.expect_navigation():
            await page.click("text=Acknowledge all 2")
        assert "no more reminders" in await page.inner_text(".flash")
        assert await page.locator("text=Acknowledge all 2").count() == 0
        async with page.expect_navigation():
            await page.click("text=It was me")
        assert "<b>1</b> critical" in await page.inner_html(".chips")
        await browser.close()


@pytest.mark.parametrize("path", ["/", "/?group=owner&density=compact", "/wall", "/admin/wall"])
async def test_it_is_accessible_and_fits_in_both_themes_and_widths(page: Page, path: str) -> None:
    origin = page.url.rstrip("/")
    found = []
    for language in ("en", "de"):
        cookie = {"name": "hive-language", "value": language, "url": origin}
        await page.context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict
        await page.goto(origin + path)
        await page.evaluate(AXE)
        for look, size, theme, rules in LOOKS:
            await page.set_viewport_size(size)
            await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            found += [f"{look} {one}" for one in await page.evaluate(RUN_AXE, rules)]
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{look} {language} is wider than the window")
            name = re.sub(r"\W+", "-", f"33{path}").strip("-")
            await page.screenshot(path=PICTURES / f"{name}.{look}.{language}.png", full_page=True)
    assert found == []


async def test_the_wall_holds_all_tiles_on_one_screen_and_tells_when_it_is_alone(
    page: Page,
) -> None:
    await page.set_viewport_size({"width": 1920, "height": 1080})
    await page.goto(f"{page.url.rstrip('/')}/wall")
    await page.screenshot(path=PICTURES / "wall-33.1920.png")
    tiles = page.locator(".wall li")
    assert await tiles.count() == COUNT
    last = await tiles.last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= 1080
    assert await page.is_hidden("#unconnected")
    await page.route("**/wall", lambda route: route.abort())
    await page.evaluate("document.dispatchEvent(new Event('renew'))")
    await page.wait_for_selector("#unconnected:visible")
    await page.unroute("**/wall")
    await page.evaluate("document.dispatchEvent(new Event('renew'))")
    await page.wait_for_selector("#unconnected", state="hidden")
