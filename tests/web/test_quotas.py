"""Quotas on pages: set by administrators, shown on the repository's page, with what takes room."""

from __future__ import annotations

import re
from html import unescape

import pytest

from hive.kinds import Access, ShareLevel
from hive.services.accounts import groups, users
from hive.services.keys import keys
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue, quotas
from tests.web.browser import Browser
from tests.web.rows import public_key, put_on_disk


@pytest.fixture
async def documents(alice: Actor) -> int:
    await keys.add_key(alice, keys.AddKey(name="nas", owner="alice", text=public_key()))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"nas": Access.FULL}
    )
    await put_on_disk(made.id)
    return made.id


async def page(browser: Browser, path: str) -> str:
    text = (await browser.get(path)).text
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


async def test_quotas_of_users_and_groups_are_set_on_their_pages(
    browser: Browser, root: Actor, alice: Actor, documents: int
) -> None:
    team = await groups.add_group(root, groups.AddGroup(name="team", members=["alice"]))
    await browser.log_in("root")
    form = {"role": "member", "enabled": "yes", "keys": "yes", "quota": "2TB"}
    assert (await browser.post(f"/admin/users/{alice.user_id}", form)).status == 303
    assert (await users.find_user(root, "alice")).quota_bytes == 2_000_000_000_000
    form = {"name": "team", "member-alice": "yes", "quota": "3TB"}
    assert (await browser.post(f"/admin/groups/{team.id}", form)).status == 303
    assert (await groups.find_group(root, "team")).quota_bytes == 3_000_000_000_000
    assert 'value="3.00 TB"' in (await browser.get(f"/admin/groups/{team.id}")).text
    for path in (f"/admin/users/{alice.user_id}", f"/admin/groups/{team.id}"):
        wrong = await browser.post(path, {"name": "team", "role": "member", "quota": "much"})
        assert wrong.status == 422
        assert "is not a size" in wrong.text
    shown = await page(browser, f"/repositories/{documents}/settings")
    assert "Its owner's quota 0 B of 2.00 TB" in shown or "of 2.00 TB" in shown
    assert "Quota of the group team" in shown
    form = {"name": "team", "member-alice": "yes", "quota": ""}
    await browser.post(f"/admin/groups/{team.id}", form)
    assert (await groups.find_group(root, "team")).quota_bytes is None


async def test_a_quota_below_what_is_used_warns_and_is_shown(
    browser: Browser, documents: int
) -> None:
    await quotas.note(documents, 50_000_000)
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    await browser.post(f"{here}/edit", {"name": "documents", "quota": "20MB"})
    shown = await page(browser, here)
    assert "50.00 MB of the quota of 20.00 MB are used already" in shown
    assert "used up 50.00 MB of 20.00 MB" in shown
    assert "No new data is accepted." in shown


async def test_a_viewer_sees_no_quota_of_the_owner(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    await groups.add_group(root, groups.AddGroup(name="team", members=["alice", "bob"]))
    await users.set_user(root, alice.user_id or 0, users.ChangeUser(quota_bytes=10**12))
    await catalogue.set_repository(
        OPERATOR, documents, quota_bytes=10**11, share_levels={"team": ShareLevel.VIEW}
    )
    await browser.log_in("bob")
    shown = await page(browser, f"/repositories/{documents}/settings")
    assert "Quota of the repository" in shown
    assert "Its owner's quota" not in shown


async def test_a_staged_import_and_limits_are_shown_and_go_by_a_button(
    browser: Browser, alice: Actor, documents: int
) -> None:
    info = await catalogue.find_repository(alice, "documents")
    info.path.mkdir(parents=True, exist_ok=True)
    config = info.path / "config"
    config.write_text(
        f"[repository]\nversion = 1\nid = {'0' * 64}\nsegments_per_dir = 1000\n"
        "max_segment_size = 524288000\nappend_only = 1\n"
    )
    (info.path.parent / ".import").mkdir()
    (info.path.parent / ".import" / "README").write_text("x" * 2000)
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    shown = await page(browser, here)
    assert "An import is staged and not in place: 2.00 kB" in shown
    assert "append_only" in shown
    assert (await browser.post(f"{here}/discard-import")).status == 303
    assert (await browser.post(f"{here}/clear-config-limits")).status == 303
    shown = await page(browser, here)
    assert "The staged import was deleted." in shown
    assert "The limits in the config were cleared" in shown
    assert "append_only = 0" in config.read_text()
    assert not (info.path.parent / ".import").exists()
    assert "Quotas and limits" not in await page(browser, here)
