"""The page that moves a repository to another location."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import MoveState, ShareLevel
from hive.models import Move
from hive.services.accounts import groups
from hive.services.lifecycle import moves
from hive.services.lifecycle.mover import Mover
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.storage import locations
from hive.services.storage.locations import AddLocation
from tests.web.browser import Browser


@pytest.fixture
async def page(root: Actor, alice: Actor, tmp_path: Path) -> str:
    root_of_it = tmp_path / "attic"
    root_of_it.mkdir(mode=0o700)
    wanted = AddLocation(name="attic", host="attic.example.org", port=22, root=root_of_it)
    await locations.add_location(root, wanted)
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    return f"/repositories/{made.id}/move"


async def test_it_says_what_it_means_then_moves(browser: Browser, alice: Actor, page: str) -> None:
    await browser.log_in("alice")
    settings = (await browser.get(page.replace("move", "settings"))).text
    assert f'href="{page}"' in settings
    shown = await browser.post(page, {"location": "attic"})
    assert shown.status == 200
    assert "The address changes." in shown.text
    assert "@attic.example.org/./documents" in shown.text
    assert await Move.all().count() == 0
    moved = await browser.post(page, {"location": "attic", "confirmed": "yes"})
    assert (moved.status, moved.location) == (303, page)
    on_its_way = (await browser.get(page)).text
    assert "On its way" in on_its_way
    assert "It is being moved to attic." in on_its_way
    assert "Leave it where it is" in on_its_way
    await Mover().work()
    assert (await Move.get()).state == MoveState.DONE
    assert "It is at <bdi>attic</bdi>." in (await browser.get(page)).text


async def test_it_is_left_where_it_is(browser: Browser, alice: Actor, page: str) -> None:
    await browser.log_in("alice")
    await browser.post(page, {"location": "attic", "confirmed": "yes"})
    await browser.post(f"{page}/cancel")
    assert "It stays at default." in (await browser.get(page)).text
    await Mover().work()
    assert (await Move.get()).state == MoveState.CANCELLED
    await browser.post(f"{page}/cancel")
    assert "is not on its way" in (await browser.get(page)).text


async def test_what_cannot_be_is_said_on_the_form(
    browser: Browser, alice: Actor, page: str
) -> None:
    await browser.log_in("alice")
    for typed, status in (({}, 422), ({"location": "default"}, 409), ({"location": "x"}, 404)):
        assert (await browser.post(page, typed)).status == status
    assert await Move.all().count() == 0


async def test_others_do_not_move_it(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, page: str
) -> None:
    repository_id = int(page.split("/")[2])
    await groups.add_group(root, groups.AddGroup(name="team", members=["alice", "bob"]))
    await catalogue.set_repository(alice, repository_id, share_levels={"team": ShareLevel.MANAGE})
    await browser.log_in("bob")
    assert f'href="{page}"' not in (await browser.get(page.replace("move", "settings"))).text
    assert (await browser.get(page)).status == 403
    for path in (page, f"{page}/cancel"):
        assert (await browser.post(path, {"location": "attic", "confirmed": "yes"})).status == 403
    assert await moves.last_of(bob, repository_id) is None
