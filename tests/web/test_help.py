"""The documents, shown by the server itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hive.services.permissions import Actor
from tests.programs import CHECKOUT
from tests.web.browser import Browser
from web import help_links
from web.book import Book, read_book
from web.routes import ROUTES

BOOK = read_book()


def links() -> Iterator[tuple[str, str]]:
    for document in BOOK.pages.values():
        for address in re.findall(r'<a href="([^"]*)"', document.content):
            yield document.name, address


def test_every_document_for_users_is_in_the_book() -> None:
    folders = ("tutorials", "how-to", "reference", "explanation")
    files = {
        str(path.relative_to(CHECKOUT / "docs").with_suffix(""))
        for folder in folders
        for path in (CHECKOUT / "docs" / folder).glob("*.md")
    }
    assert set(BOOK.pages) == files
    assert [chapter.title for chapter in BOOK.chapters] == [
        "Tutorials",
        "How-to guides",
        "Reference",
        "Explanation",
    ]


def test_links_between_documents_lead_to_headings_that_exist() -> None:
    found = 0
    for name, address in links():
        if address.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, fragment = address.partition("#")
        if path == "/help":
            continue  # no document for users
        document = BOOK.pages[path.removeprefix("/help/") or name]
        if fragment:
            assert f'id="{fragment}"' in document.content, (name, address)
        found += 1
    assert found > 50


def test_documents_load_nothing_and_run_nothing() -> None:
    for document in BOOK.pages.values():
        assert not re.search(r"<(script|style|iframe|link|form)\b", document.content)
        assert not re.search(r"\s(style|on\w+)=", re.sub(r">[^<]*<", "><", document.content))
        for source in re.findall(r'<img[^>]* src="([^"]*)"', document.content):
            assert source.removeprefix("/help/pictures/") in BOOK.pictures
        assert "not run:" not in document.content


async def test_the_contents_lead_to_each_document(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    contents = (await browser.get("/help")).text
    for document in BOOK.pages.values():
        assert f'href="{document.address}"' in contents
    page = await browser.get("/help/how-to/schedules")
    assert page.status == 200
    assert '<article class="book" lang="en">' in page.text
    assert 'rel="next" accesskey="n"' in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/help/how-to/nothing",
        "/help/how-to/..%2f..%2fpyproject",
        "/help/adr/index",
        "/help/pictures/refresh.py",
        "/help/pictures/..%2f..%2f..%2fpyproject.toml",
    ],
)
async def test_what_is_no_document_is_not_shown(browser: Browser, alice: Actor, path: str) -> None:
    await browser.log_in("alice")
    assert (await browser.get(path)).status == 404


async def test_pictures_come_from_the_server(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    picture = await browser.client.get("/help/pictures/overview.png")
    assert picture.status == 200
    assert picture.headers["Content-Type"] == "image/png"
    assert await picture.read() == (CHECKOUT / "docs/pictures/overview.png").read_bytes()


def test_each_page_leads_to_a_document_that_there_is() -> None:
    for route in ROUTES:
        address = help_links.help_for(route.path.replace("{id:[0-9]{1,9}}", "7"))
        assert address == "/help" or address.removeprefix("/help/") in BOOK.pages, route.path
    assert help_links.help_for("/repositories/7/schedule") == "/help/how-to/schedules"
    assert help_links.help_for("/repositories/7") == "/help/how-to/watch"
    assert help_links.help_for("/keys/7/replace") == "/help/reference/client-access"
    assert help_links.help_for("/setup/x") == "/help"


async def test_a_page_has_the_way_to_its_help(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    page = (await browser.get("/keys/add")).text
    assert '<a href="/help/how-to/connect-clients" rel="help">' in page


def test_without_documents_there_is_an_empty_book() -> None:
    assert Book().pages == {}
