"""The page that changes several repositories at once."""

from __future__ import annotations

import re

import pytest

from hive.kinds import ShareLevel
from hive.services.accounts import groups
from hive.services.health import infos as health_info
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, tags
from tests.web.browser import Browser


@pytest.fixture
async def ids(root: Actor, alice: Actor, bob: Actor) -> list[int]:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    made = [await catalogue.add_repository(alice, name, owner="alice") for name in ("one", "two")]
    theirs = await catalogue.add_repository(
        bob, "bobs", owner="bob", share_levels={"family": ShareLevel.VIEW}
    )
    await tags.change_tags(alice, made[0].id, add=["home"])
    return [*(one.id for one in made), theirs.id]


def boxes(page: str) -> dict[int, bool]:
    found = re.findall(r'<input id="repository-(\d+)"[^>]*?( checked)?>', page)
    return {int(number): bool(checked) for number, checked in found}


async def test_a_filter_is_carried_over_and_chosen(browser: Browser, ids: list[int]) -> None:
    await browser.log_in("alice")
    show = "/repositories/change"
    assert boxes((await browser.get(show)).text) == dict.fromkeys(ids, False)
    assert boxes((await browser.get(f"{show}?tag=home")).text) == {ids[0]: True}
    chosen = (await browser.get(f"{show}?id={ids[1]}&id={ids[2]}&id=x")).text
    assert boxes(chosen) == {ids[1]: True, ids[2]: True}
    assert boxes((await browser.get(f"{show}?state=unwatched&q=tw")).text) == {ids[1]: True}


async def test_chosen_ones_are_changed_and_refusals_are_told(
    browser: Browser, alice: Actor, ids: list[int]
) -> None:
    await browser.log_in("alice")
    typed = {f"repository-{one}": "yes" for one in ids}
    typed |= {"action": "schedule", "kind": "day", "day_at": "03:00", "timezone": "Europe/Berlin"}
    answer = await browser.post("/repositories/change", typed)
    assert answer.status == 200
    assert "Changed: 2. Refused: 1." in answer.text
    assert f'<a href="/repositories/{ids[2]}"><bdi>bobs</bdi></a>: ' in answer.text
    for one in ids[:2]:
        health = await health_info.health_info(alice, one)
        assert health.schedule.cron == "0 3 * * *"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"action": "quota", "quota": "much"}, "is not a size"),
        ({"action": "schedule", "kind": "cron", "cron": "x y"}, "cron"),
        ({"action": "tags"}, "Say what is to change."),
        ({"action": "nothing"}, "none of the choices"),
        ({"action": "pause", "span": "+900d"}, "too far away"),
    ],
)
async def test_what_is_wrong_changes_nothing_and_keeps_the_choice(
    browser: Browser, ids: list[int], typed: dict[str, str], said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post(
        "/repositories/change", {f"repository-{ids[0]}": "yes", "timezone": "UTC", **typed}
    )
    assert answer.status == 422
    assert said in answer.text
    assert boxes(answer.text)[ids[0]]


async def test_only_administrators_give_repositories_away(
    browser: Browser, root: Actor, ids: list[int]
) -> None:
    await browser.log_in("alice")
    assert 'id="action-owner"' not in (await browser.get("/repositories/change")).text
    typed = {f"repository-{ids[0]}": "yes", "action": "owner", "owner": "bob"}
    assert "Only an administrator" in (await browser.post("/repositories/change", typed)).text
    await browser.log_in("root")
    await browser.post("/repositories/change", typed)
    assert (await catalogue.find_repository(root, str(ids[0]))).owner == "bob"


async def test_a_preview_shows_now_and_then_and_the_button_does_it(
    browser: Browser, alice: Actor, ids: list[int]
) -> None:
    await browser.log_in("alice")
    typed = {f"repository-{one}": "yes" for one in ids}
    typed |= {"action": "quota", "quota": "5 GB", "timezone": "UTC"}
    shown = await browser.post("/repositories/change", {**typed, "preview": "yes"})
    assert shown.status == 200
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", shown.text, re.DOTALL)
    words = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert words[:2] == ["one Quota none 5.00 GB", "two Quota none 5.00 GB"]
    assert "bobs" in words[2]
    assert "Nothing was changed yet" in shown.text
    assert (await catalogue.info_by_id(ids[0])).quota_bytes is None
    assert boxes(shown.text) == dict.fromkeys(ids, True)
    await browser.post("/repositories/change", typed)
    assert (await catalogue.info_by_id(ids[0])).quota_bytes == 5 * 10**9


async def test_shares_that_are_left_as_they_are_stay(
    browser: Browser, root: Actor, alice: Actor, ids: list[int]
) -> None:
    await groups.add_group(root, groups.AddGroup(name="team", members=["alice"]))
    await catalogue.set_repository(alice, ids[0], share_levels={"team": ShareLevel.VIEW})
    await browser.log_in("alice")
    typed = {f"repository-{one}": "yes" for one in ids[:2]} | {"action": "shares"}
    typed |= {"share-family": "manage", "share-team": "leave"}
    assert "Changed: 2." in (await browser.post("/repositories/change", typed)).text
    first = await catalogue.info_by_id(ids[0])
    assert {one.group: one.level for one in first.groups} == {
        "family": ShareLevel.MANAGE,
        "team": ShareLevel.VIEW,
    }
    typed |= {"share-family": "leave", "share-team": ""}
    await browser.post("/repositories/change", typed)
    first = await catalogue.info_by_id(ids[0])
    assert {one.group for one in first.groups} == {"family"}
