"""Tables as CSV: the same filter and the same scope as the page, and nothing that is a formula."""

from __future__ import annotations

import csv
import io

import pytest

from hive import clock
from hive.kinds import EventKind, Operation
from hive.models import Session
from hive.services import events
from hive.services.keys import keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, tags
from tests.web.browser import Browser
from tests.web.rows import add_session, public_key
from web import csv_file

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)")
PAGES = [
    ("/?q=doc", "/repositories.csv?q=doc"),
    ("/sessions?key=laptop", "/sessions?key=laptop&amp;format=csv"),
    ("/events?kind=changes", "/events?kind=changes&amp;format=csv"),
    ("/keys", "/keys?format=csv"),
]


async def table(browser: Browser, path: str) -> list[dict[str, str]]:
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert 'attachment; filename="' in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
async def documents(alice: Actor) -> int:
    await keys.add_key(alice, keys.AddKey(name="laptop", text=public_key()))
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await tags.change_tags(alice, made.id, add=["home"])
    await add_session(made.id, key_name="laptop", operation=Operation.CREATE)
    await events.record(made.id, EventKind.UPDATED, "Changed.")
    return made.id


@pytest.mark.parametrize(("page", "link"), PAGES)
async def test_a_page_leads_to_its_table(
    browser: Browser, documents: int, page: str, link: str
) -> None:
    await browser.log_in("alice")
    assert f'<a href="{link}" download>' in (await browser.get(page)).text
    assert len(await table(browser, link.replace("&amp;", "&"))) == 1


async def test_tables_of_administrators_are_theirs(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("alice")
    for path in ("/admin/users", "/admin/audit", "/admin/locations"):
        assert (await browser.get(f"{path}?format=csv")).status == 403, path
    await browser.log_in("root")
    assert {row["name"] for row in await table(browser, "/admin/users?format=csv")} == {
        "root",
        "alice",
    }
    assert (await table(browser, "/admin/audit?format=csv"))[0]["actor"]
    assert [row["name"] for row in await table(browser, "/admin/locations?format=csv")] == [
        "default"
    ]


@pytest.mark.parametrize("path", [link.replace("&amp;", "&") for _, link in PAGES])
async def test_nobody_reads_what_they_do_not_see(
    browser: Browser, documents: int, bob: Actor, path: str
) -> None:
    await browser.log_in("bob")
    assert await table(browser, path) == []


async def test_the_overview_is_filtered_like_the_page(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await catalogue.add_repository(alice, "photos", owner="alice")
    await browser.log_in("alice")
    for query, names in (
        ("", ["documents", "photos"]),
        ("?q=photo", ["photos"]),
        ("?q=%23home", ["documents"]),
        ("?tag=home", ["documents"]),
        ("?state=unwatched", ["documents", "photos"]),
        ("?state=critical", []),
    ):
        rows = await table(browser, f"/repositories.csv{query}")
        assert [row["name"] for row in rows] == names, query
    (row,) = await table(browser, "/repositories.csv?tag=home")
    assert (row["owner"], row["tags"], row["state"]) == ("alice", "home", "unwatched")


async def test_what_others_have_chosen_is_no_formula(
    browser: Browser, alice: Actor, documents: int
) -> None:
    for formula in FORMULAS:
        await add_session(documents, key_name=formula, client=f"{formula}\n\x1b[2J")
    await browser.log_in("alice")
    rows = await table(browser, "/sessions?format=csv")
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@", "-", "\t", "\r"))
            assert cell.isprintable()
    assert {row["key"] for row in rows} == {"laptop", *(f"'{one}" for one in FORMULAS)}


async def test_a_long_table_is_sent_page_after_page_and_ends(
    browser: Browser, documents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await Session.first()
    assert first is not None
    for _ in range(9):
        await add_session(documents, started_at=clock.now())
    monkeypatch.setattr(csv_file, "PAGE", 4)
    await browser.log_in("alice")
    rows = await table(browser, "/sessions?format=csv")
    assert len({row["id"] for row in rows}) == 10
    assert [int(row["id"]) for row in rows] == sorted((int(r["id"]) for r in rows), reverse=True)
    monkeypatch.setattr(csv_file, "MAX_ROWS", 6)
    rows = await table(browser, "/sessions?format=csv")
    assert len(rows) == 7
    assert rows[-1]["id"] == "only the first 6 rows are here"


async def test_another_format_is_refused(browser: Browser, documents: int) -> None:
    await browser.log_in("alice")
    assert (await browser.get("/sessions?format=xls")).status == 422
