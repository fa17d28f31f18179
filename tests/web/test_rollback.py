"""Rolling back in the browser, without scripts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hive.kinds import EventKind
from hive.models import Repository
from hive.services import events
from hive.services.permissions import SYSTEM, Actor
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.rollback import background, work
from tests import factories
from tests.web.browser import Browser


@pytest.fixture
async def made(alice: Actor, tmp_path: Path) -> RepositoryInfo:
    """A repository with an archive that was deleted."""
    info = await catalogue.add_repository(alice, "documents", owner="alice")
    base = tmp_path / "borg"
    factories.make_borg_repository(info.path, base)
    factories.borg("delete", f"{info.path}::first", base=base)
    await Repository.filter(id=info.id).update(initialized_at=info.created_at)
    return await catalogue.find_repository(SYSTEM, "documents")


async def test_a_deletion_is_undone_after_the_name_was_typed_and_taken_back_from_the_trash(
    browser: Browser, made: RepositoryInfo
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{made.id}/rollback"
    assert here in (await browser.get(f"/repositories/{made.id}/settings")).text
    page = await browser.get(here)
    assert page.status == 200
    assert "no session is known" in page.text
    target = page.text.partition("?to=")[2].partition('"')[0]
    form = await browser.get(f"{here}?to={target}")
    expected = form.text.partition('name="expected" value="')[2].partition('"')[0]
    fields = {"transaction": target, "expected": expected, "name": "documets"}
    wrong = await browser.post(here, fields)
    assert wrong.status == 422
    assert "nothing was changed" in wrong.text
    before = factories.tree(made.path)
    answer = await browser.post(here, fields | {"name": "documents"})
    assert (answer.status, answer.location) == (303, here)
    after = await browser.get(here)
    assert "The repository was rolled back." in after.text
    assert "borg delete --cache-only" in after.text
    kinds = [one.kind for one in await events.recent(SYSTEM, repository_id=made.id)]
    assert EventKind.ROLLED_BACK in kinds
    trash = await browser.get("/trash")
    way = trash.text.partition('action="/trash/rollbacks/')[2].partition('"')[0]
    assert (await browser.post(f"/trash/rollbacks/{way}", {})).location == "/trash"
    assert "was taken back" in (await browser.get("/trash")).text
    assert factories.tree(made.path) == before


async def test_what_changed_since_the_page_was_opened_is_said(
    browser: Browser, made: RepositoryInfo
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{made.id}/rollback"
    page = await browser.get(here)
    target = page.text.partition("?to=")[2].partition('"')[0]
    await browser.post(here, {"transaction": target, "expected": "1", "name": "documents"})
    assert "has changed since you looked at it" in (await browser.get(here)).text
    await browser.post(here, {"transaction": "", "expected": "", "name": "documents"})
    assert "Choose what to go back to." in (await browser.get(here)).text


async def test_a_long_reading_shows_how_far_it_is_and_can_be_cancelled(
    browser: Browser, made: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{made.id}/rollback"
    page = await browser.get(here)
    target = page.text.partition("?to=")[2].partition('"')[0]
    form = await browser.get(f"{here}?to={target}")
    expected = form.text.partition('name="expected" value="')[2].partition('"')[0]
    monkeypatch.setattr("web.pages.repositories.rollback._PATIENCE", 0.05)
    real = work.check
    goes_on = asyncio.Event()

    async def check(*arguments: object) -> object:
        await goes_on.wait()
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "check", check)
    before = factories.tree(made.path)
    await browser.post(here, {"transaction": target, "expected": expected, "name": "documents"})
    waiting = await browser.get(here)
    assert waiting.headers["Refresh"] == "5"
    assert "Everything is being checked" in waiting.text
    await browser.post(f"{here}/cancel", {})
    goes_on.set()
    job = background._jobs()[made.id]
    assert job.task is not None
    await asyncio.wait([job.task])
    assert (await browser.get(here)).location == here
    assert "cancelled; nothing was changed" in (await browser.get(here)).text
    assert {name for name in factories.tree(made.path) if "lock" not in name} == {
        name for name in before if "lock" not in name
    }


async def test_a_repository_that_is_not_created_yet_says_so(browser: Browser, alice: Actor) -> None:
    info = await catalogue.add_repository(alice, "documents", owner="alice")
    await browser.log_in("alice")
    page = await browser.get(f"/repositories/{info.id}/rollback")
    assert page.status == 200
    assert "nothing to roll back" in page.text
