"""Every page in a real browser: accessible in both themes and widths, silent, from us alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser, Page, async_playwright

import web
from hive.services.accounts import first_setup, users
from hive.services.permissions import OPERATOR
from tests.chromium import ARGUMENTS, PATH
from tests.web.browser import PASSWORD, NewBrowser
from tests.web.browser import Browser as Client
from tests.web.pages import pages_of
from tests.web.scene import Scene, add_passkey, make_scene

HOME = Path(__file__).parents[2]
VENDOR = Path(__file__).parent / "vendor"
OURS = Path(web.__file__).parent / "static" / "vendor"
# For people to look at: all pages, in two looks; in all and in German where the variable is set.
PICTURES = Path(os.environ.get("HIVE_TEST_PICTURES", HOME / "build" / "pictures"))
ARE_ALL_WANTED = "HIVE_TEST_PICTURES" in os.environ
TAKEN = ("wide-light", "narrow-dark")
PARTS = 4  # to be looked at side by side
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Everything is looked at once wide and light, once narrow and dark; what is left is contrast.
AXE = (VENDOR / "axe.min.js").read_text()
LOOKS: list[tuple[str, Any, Any, list[str]]] = [
    ("wide-light", WIDE, "light", []),
    ("wide-dark", WIDE, "dark", ["color-contrast"]),
    ("narrow-dark", NARROW, "dark", []),
    ("narrow-light", NARROW, "light", ["color-contrast"]),
]
RUN_AXE = """async (rules) => {
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const found = await axe.run(document, {resultTypes: ["violations"], ...only});
  return found.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        yield browser
        await browser.close()


class Watch:
    """What pages did that they should not: a report of the browser's, a request elsewhere."""

    def __init__(self, page: Page, origin: str) -> None:
        self.wrong: list[str] = []
        page.on("request", lambda one: self._request(one.url, origin))
        page.on("console", lambda one: self.wrong.append(f"console: {one.text}"))
        page.on("pageerror", lambda one: self.wrong.append(f"error: {one}"))

    def _request(self, url: str, origin: str) -> None:
        if not url.startswith(f"{origin}/"):
            self.wrong.append(f"request to {url}")


async def log_in(page: Page, origin: str) -> None:
    await page.goto(f"{origin}/login")
    await page.fill("#name", "root")
    await page.fill("#password", PASSWORD)
    await page.click("button.main")
    await page.wait_for_url(f"{origin}/")


def _shown(server: Client, scene: Scene) -> list[str]:
    """The addresses of pages; one answers a script only."""
    return [path for path in pages_of(server.client.app, scene) if path != "/repositories/names"]


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
async def test_every_page_is_accessible_in_both_themes_and_widths(
    chromium: Browser, new_browser: NewBrowser, part: int
) -> None:
    server = await new_browser()
    scene = await make_scene()
    page = await chromium.new_page()
    watch = Watch(page, server.origin)
    await log_in(page, server.origin)
    await add_passkey("root")
    found, paths = [], _shown(server, scene)[part::PARTS]
    for path in paths:
        answer = await page.goto(server.origin + path)
        assert answer is not None
        assert answer.status == 200, path
        found += await faults(page, path)
    found += await german_faults(page, server, paths)
    assert found == []
    assert watch.wrong == []
    # The browser itself tells of a page that is not there, so this one comes last.
    await page.goto(f"{server.origin}/nothing")
    assert await faults(page, "/nothing") == []


@pytest.mark.long
async def test_the_pages_on_the_way_in_are_accessible_too(
    chromium: Browser, new_browser: NewBrowser
) -> None:
    server = await new_browser()
    token = await first_setup.new_setup_token()
    page = await chromium.new_page()
    watch = Watch(page, server.origin)
    found = await faults_at(page, server.origin, f"/setup/{token}", "setup")
    scene = await make_scene()
    found += await faults_at(page, server.origin, "/login", "login")
    link = await users.reset_link(OPERATOR, scene.user)
    found += await faults_at(page, server.origin, "/forgot", "forgot")
    reset = "/reset/" + link.url.rpartition("/")[2]
    found += await faults_at(page, server.origin, reset, "reset")
    await log_in(page, server.origin)
    await page.goto(f"{server.origin}/account/second-factor")
    await page.click("text=Set up an app")
    found += await faults(page, "app to set up")
    app = pyotp.TOTP(await page.inner_text("#secret"))
    await page.fill("#code", app.now())
    await page.click("main button.main")
    await page.wait_for_selector("text=I have kept them")
    found += await faults(page, "recovery codes shown")
    await page.click("text=Log out")
    await page.fill("#name", "root")
    await page.fill("#password", PASSWORD)
    await page.click("button.main")
    await page.wait_for_url(f"{server.origin}/login/second")
    found += await faults(page, "second step")
    assert found == []
    assert watch.wrong == []


async def faults_at(page: Page, origin: str, path: str, name: str) -> list[str]:
    await page.goto(origin + path)
    return await faults(page, name)


async def faults(page: Page, path: str) -> list[str]:
    """What axe finds wrong with the page in each look, and whether it overflows."""
    found = []
    await page.evaluate(AXE)
    for look, size, theme, rules in LOOKS:
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found += [f"{path} {look} {one}" for one in await page.evaluate(RUN_AXE, rules)]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{path} {look} is wider than the window")
        await picture(page, path, look)
    return found


async def german_faults(page: Page, server: Client, paths: list[str]) -> list[str]:
    """German is a third longer: whether it fits a phone, and the word for its own language."""
    cookie = {"name": "hive-language", "value": "de", "url": server.origin}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict
    found = []
    for path in paths:
        await page.goto(server.origin + path)
        assert await page.get_attribute("html", "lang") == "de"
        for look, size, _, _ in (LOOKS[2], LOOKS[0]):
            await page.set_viewport_size(size)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{path} in German, {look}, is wider than the window")
            await picture(page, path, f"german-{look}")
    return found


@pytest.mark.parametrize("directory", [VENDOR, OURS])
def test_files_of_others_are_as_they_were_published(directory: Path) -> None:
    sums = (directory / "VENDORED.md").read_text()
    scripts = list(directory.glob("*.js"))
    assert scripts
    for script in scripts:
        assert hashlib.sha256(script.read_bytes()).hexdigest() in sums


@pytest.mark.long
async def test_the_address_of_a_new_ping_token_is_as_accessible_and_fits(
    chromium: Browser, new_browser: NewBrowser
) -> None:
    """An answer to a form, which no path leads to."""
    server = await new_browser()
    scene = await make_scene()
    page = await chromium.new_page()
    watch = Watch(page, server.origin)
    await log_in(page, server.origin)
    path = f"/repositories/{scene.repository}/reports/tokens/add"
    await page.goto(server.origin + path)
    await page.fill("#name", "nas")
    async with page.expect_navigation():
        await page.click("button.main")
    assert "/ping/" in await page.inner_text("#ping-url")
    assert await faults(page, f"{path}-answer") == []
    assert watch.wrong == []


@pytest.mark.long
async def test_a_repository_is_added_without_scripts_and_with_the_keyboard_alone(
    chromium: Browser, new_browser: NewBrowser
) -> None:
    server = await new_browser()
    await make_scene()
    page = await chromium.new_page(java_script_enabled=False, locale="de-DE")
    await log_in(page, server.origin)
    await page.goto(f"{server.origin}/repositories/add")
    await page.wait_for_selector("#name:focus")
    await page.keyboard.type("-wrong")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "Etwas stimmt nicht" in await page.inner_text("main")
    assert await page.input_value("#name") == "-wrong"
    await page.focus("#name")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("right")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await page.inner_text("h1 bdi >> nth=0") == "right"
    assert "wurde hinzugefügt" in await page.inner_text(".flash")
    await page.focus("a.skip")
    assert await page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")


async def picture(page: Page, path: str, look: str) -> None:
    if not (ARE_ALL_WANTED or look in TAKEN):
        return
    name = re.sub(r"[^\w.]+", "-", path.strip("/")) or "overview"
    await page.screenshot(path=PICTURES / f"{name}.{look}.png", full_page=True)
