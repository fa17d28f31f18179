"""The wall: with a login, by a link that an administrator makes and revokes, and not otherwise."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from hive import clock, tokens
from hive.models import AuditEntry, WallLink
from hive.services.accounts import wall_links
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.overview import wall
from hive.services.permissions import OPERATOR, Actor
from tests import factories
from tests.web.browser import Browser, NewBrowser


async def _some(alice: Actor, count: int, *, down: int = 1) -> list[int]:
    """The first ones are down, the others are fine."""
    ids = []
    for number in range(count):
        made = await factories.make_repository(alice, f"machine-{number}")
        await schedules.set_schedule(alice, made.id, ScheduleChange(every=timedelta(days=1)))
        ago = timedelta(days=9) if number < down else timedelta(hours=1)
        await review.note_backup(made.id, clock.now() - ago)
        ids.append(made.id)
    return ids


def _tiles(text: str) -> list[str]:
    return re.findall(r'class="tile-name"[^>]*><bdi>([\w-]+)</bdi>', text)


async def _link(browser: Browser) -> str:
    """An administrator makes a link; its path."""
    await browser.log_in("root")
    text = (await browser.post("/admin/wall", {"name": "kitchen"})).text
    found = re.search(r"http[^<\s]+(/wall/[\w-]{43})", text)
    assert found is not None
    assert found[1] not in (await browser.get("/admin/wall")).text  # shown once
    return found[1]


async def test_the_wall_shows_what_one_may_see_the_worst_first(
    browser: Browser, alice: Actor, charlie: Actor
) -> None:
    await _some(alice, 3)
    await browser.log_in("alice")
    text = (await browser.get("/wall")).text
    assert _tiles(text) == ["machine-0", "machine-1", "machine-2"]
    assert "8d overdue" in text
    assert "14 days: " in text
    assert '<noscript><meta http-equiv="refresh"' in text
    assert "favicon-bad" in text
    await browser.log_in("charlie")
    assert "machine" not in (await browser.get("/wall")).text


async def test_of_many_those_that_are_fine_are_counted(
    alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _some(alice, 5, down=2)
    monkeypatch.setattr(wall, "TILES", 2)
    found = await wall.wall(alice, None)
    assert [one.name for one in found.tiles] == ["machine-0", "machine-1"]
    assert (found.more_fine, found.more) == (3, 0)
    monkeypatch.setattr(wall, "MOST", 1)
    found = await wall.wall(alice, None)
    assert (found.more_fine, found.more) == (0, 4)


async def test_a_link_shows_the_wall_and_nothing_else_until_it_is_revoked(
    new_browser: NewBrowser, root: Actor, alice: Actor
) -> None:
    admin, screen = await new_browser(), await new_browser()
    ids = await _some(alice, 2)
    path = await _link(admin)
    text = (await screen.get(path)).text
    assert _tiles(text) == ["machine-0", "machine-1"]
    assert "data-poll" in text
    for secret in ("alice", f"/repositories/{ids[0]}", "/logout"):
        assert secret not in text
    for elsewhere in ("/", "/wall", f"/repositories/{ids[0]}", "/live", "/admin/wall"):
        assert (await screen.get(elsewhere)).location.startswith("/login")
    row = await WallLink.get()
    assert row.token_sha256 == tokens.digest(path.rpartition("/")[2])
    assert row.last_used_at is not None
    assert (await admin.post(f"/admin/wall/{row.id}/revoke", {})).status == 303
    assert (await screen.get(path)).status == 404
    actions = [one.action for one in await AuditEntry.filter(action__startswith="wall-link")]
    assert actions == ["wall-link.add", "wall-link.revoke"]


async def test_links_are_not_found_by_guessing(browser: Browser, root: Actor) -> None:
    path = await _link(browser)
    for number in range(wall_links.GUESSES_PER_MINUTE):
        assert (await browser.get(f"/wall/{number:043}")).status == 404
    assert (await browser.get(f"/wall/{0:043}")).status == 403
    assert (await browser.get(path)).status == 403


async def test_only_administrators_make_and_see_links(
    browser: Browser, alice: Actor, root: Actor
) -> None:
    made = await wall_links.add(OPERATOR, "kitchen")
    await browser.log_in("alice")
    assert (await browser.get("/admin/wall")).status == 403
    assert (await browser.post("/admin/wall", {"name": "mine"})).status == 403
    assert (await browser.post(f"/admin/wall/{made.info.id}/revoke", {})).status == 403
    await browser.log_in("root")
    assert (await browser.post("/admin/wall", {"name": "kitchen"})).status == 409
    assert (await browser.post("/admin/wall", {"name": ""})).status == 422


async def test_the_manifest_names_pictures_that_are_there(browser: Browser) -> None:
    answer = await browser.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"].startswith("application/manifest+json")
    pictures = re.findall(r'"src": "([^"]+)"', answer.text)
    assert len(pictures) == 2
    for path in pictures:
        assert (await browser.client.get(path)).status == 200
    page = (await browser.get("/login")).text
    assert 'rel="manifest"' in page
    touch = re.search(r'rel="apple-touch-icon" href="([^"]+)"', page)
    assert touch is not None
    assert (await browser.client.get(touch[1])).headers["Content-Type"] == "image/png"
    assert page.count('name="theme-color"') == 2
