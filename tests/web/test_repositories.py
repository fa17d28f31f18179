from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from hive import clock
from hive.kinds import Access, EndReason, Mode, Need, Role, ShareLevel
from hive.models import Repository
from hive.services import runtime
from hive.services.accounts import groups, users
from hive.services.gate import host_keys
from hive.services.health import review
from hive.services.keys import grants, keys
from hive.services.lifecycle import trash
from hive.services.overview.details import find_details
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import Browser
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk


@pytest.fixture
async def documents(alice: Actor) -> int:
    await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"laptop": Access.FULL}
    )
    return made.id


async def test_an_empty_list_says_what_to_do_next(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "There is no repository here yet." in text
    assert 'href="/machines/add"' in text
    assert 'href="/repositories/add"' in text


async def test_the_list_says_how_each_repository_is(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "<b>1</b> not watched" in text
    assert "never" in text
    assert "not measured" in text
    assert "mode " not in text

    await put_on_disk(documents)
    await add_session(documents)
    await review.note_backup(documents, clock.now() - timedelta(days=3))
    text = (await browser.get("/")).text
    assert "<b>1</b> not watched" in text
    assert "3d ago" in text
    assert "812.00 GB" in text


@pytest.mark.parametrize(
    ("session", "said"),
    [
        ({"end_reason": EndReason.CLIENT_GONE, "exit_status": None}, "client gone"),
        ({"end_reason": EndReason.INTERRUPTED, "exit_status": None}, "interrupted"),
        ({"end_reason": EndReason.FAILED, "exit_status": 2}, "failed, exit status 2"),
        ({"end_reason": EndReason.DONE, "exit_status": 2}, "done, exit status 2"),
        ({"end_reason": EndReason.DONE, "exit_status": -9}, "done, exit status -9"),
    ],
)
async def test_a_session_that_did_not_end_well_is_told_first(
    browser: Browser, alice: Actor, documents: int, session: dict[str, Any], said: str
) -> None:
    other = await catalogue.add_repository(alice, "all-is-well", owner="alice")
    await put_on_disk(other.id)
    await put_on_disk(documents)
    await add_session(documents, **session)
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "the last session failed" in text
    rows = text.partition("<tbody>")[2]
    assert rows.index("documents") < rows.index("all-is-well")
    page = (await browser.get(f"/repositories/{documents}")).text
    assert f"and failed: {said}." in page


async def test_a_running_session_says_so_even_if_another_came_and_went(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await put_on_disk(documents)
    await add_session(documents, minutes_ago=42, **RUNNING)
    await add_session(documents, minutes_ago=10)
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "<b>1</b> backing up" in text
    assert re.search("running for <span[^>]*>42m", text)
    assert 'data-figure="received"' in text  # there before the first figures come
    assert "from 192.0.2.17" in text
    page = (await browser.get(f"/repositories/{documents}")).text
    assert re.search("running for <span[^>]*>42m", page)


async def test_a_look_at_the_status_is_no_session_to_tell_of(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await put_on_disk(documents)
    await add_session(documents, minutes_ago=180, end_reason=EndReason.KILLED)
    await add_session(documents, minutes_ago=1, need=Need.STATUS, operation="status")
    await browser.log_in("alice")
    page = (await browser.get(f"/repositories/{documents}")).text
    assert re.search("The last session began <time[^>]*>3 hours ago</time> and failed", page)


async def test_mode_and_maintenance_are_told(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await Repository.filter(id=documents).update(
        mode=Mode.IMPORT, maintenance="an import is being verified"
    )
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "mode IMPORT" in text
    assert "an import is being verified" in text
    page = (await browser.get(f"/repositories/{documents}")).text
    assert "Sessions are refused just now: an import is being verified." in page
    assert "rsync -a" in (await browser.get(f"/repositories/{documents}/connect")).text


async def test_the_page_tells_how_to_reach_the_repository(
    browser: Browser, alice: Actor, documents: int
) -> None:
    identity = (await host_keys.load())[0].public
    info = await catalogue.find_repository_by_id(alice, documents)
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}/connect")).text
    assert info.url in text
    assert f"export BORG_REPO={info.url}\n" in text
    assert "borg init --encryption=repokey-blake2" in text
    assert identity.fingerprint in text.replace("&#43;", "+")
    assert f"[{runtime.host_name()}]:2222 ssh-ed25519 AAAA" in text
    assert str(info.path) not in text


async def test_host_keys_that_cannot_be_read_do_not_take_the_page_away(
    browser: Browser, alice: Actor, documents: int
) -> None:
    key = (await host_keys.load())[0]
    key.path.chmod(0o644)
    await browser.log_in("alice")
    assert (await browser.get(f"/repositories/{documents}")).status == 200
    answer = await browser.get(f"/repositories/{documents}/connect")
    assert answer.status == 200
    assert "cannot be shown just now" in answer.text
    assert str(key.path) not in answer.text


async def test_keys_are_shown_with_what_they_may_do(
    browser: Browser, alice: Actor, documents: int
) -> None:
    laptop = await keys.find_key(alice, "laptop")
    await put_on_disk(documents)
    await add_session(documents, key_id=laptop.id)
    for name in ("nas", "old"):
        await keys.add_key(
            alice,
            keys.AddKey(name=name, owner="alice", text=public_key(), networks=["192.0.2.0/24"]),
        )
    await grants.change_access(
        alice,
        documents,
        grants.ChangeAccess(accesses={"nas": Access.APPEND_ONLY, "old": Access.READ_ONLY}),
    )
    nas, old = await keys.find_key(alice, "nas"), await keys.find_key(alice, "old")
    await keys.change_key(alice, nas.id, keys.ChangeKey(enabled=False))
    await keys.change_key(alice, old.id, keys.ChangeKey(expires_at=clock.now() - timedelta(days=3)))
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}/keys")).text
    for said in ("append-only", "read-only", "disabled", "expired", "from 192.0.2.0/24 only"):
        assert said in text
    assert "5 minutes ago" in text  # when the key was last used
    assert laptop.fingerprint in text.replace("&#43;", "+")


async def test_when_a_key_was_used_elsewhere_is_not_told(alice: Actor, documents: int) -> None:
    other = await catalogue.add_repository(
        alice, "other", owner="alice", accesses={"laptop": Access.FULL}
    )
    laptop = await keys.find_key(alice, "laptop")
    await add_session(other.id, key_id=laptop.id)
    assert (await find_details(alice, documents)).keys[0].last_used_here_at is None
    used = (await find_details(alice, other.id)).keys[0].last_used_here_at
    assert used is not None
    assert used.tzinfo is not None


async def test_sessions_and_events_go_on_on_further_pages(
    browser: Browser, alice: Actor, documents: int
) -> None:
    for number in range(45):
        await add_session(
            documents, minutes_ago=100 - number, command=f"borg serve --n={number:02}"
        )
    await browser.log_in("alice")
    seen, path = [], f"/repositories/{documents}/sessions"
    while True:
        text = (await browser.get(path)).text
        seen += [part[:2] for part in text.split("borg serve --n=")[1:]]
        rest = text.partition(f'href="/repositories/{documents}/sessions?before=')[2]
        if not rest:
            break
        cursor = rest.partition('"')[0]
        path = f"/repositories/{documents}/sessions?before={cursor}"
    assert seen == [f"{number:02}" for number in reversed(range(45))]
    last = (await browser.get(f"/repositories/{documents}/sessions?before=1")).text
    assert "There are no older sessions." in last


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("?before=7", "/sessions?before=7"),
        ("?events_before=7", "/history?before=7#events"),
    ],
)
async def test_addresses_of_further_pages_from_before_the_tabs_lead_on(
    browser: Browser, alice: Actor, documents: int, former: str, now: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.get(f"/repositories/{documents}{former}")
    assert (answer.status, answer.location) == (308, f"/repositories/{documents}{now}")
    assert (await browser.get(answer.location)).status == 200


@pytest.mark.parametrize("cursor", ["x", "-1", "1e9", "9" * 30, "\u0661", "1;drop", ""])
async def test_a_cursor_that_is_none_is_refused(
    browser: Browser, alice: Actor, documents: int, cursor: str
) -> None:
    await browser.log_in("alice")
    for path, name in (
        ("", "before"),
        ("", "events_before"),
        ("/sessions", "before"),
        ("/history", "before"),
    ):
        answer = await browser.get(f"/repositories/{documents}{path}", params={name: cursor})
        assert answer.status == 422


async def test_a_group_sees_what_is_shared_with_it(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    family = await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    await catalogue.set_repository(
        alice, documents, share_with=["family"], share_level=ShareLevel.VIEW
    )
    await browser.log_in("bob")
    assert "documents" in (await browser.get("/")).text
    assert (await browser.get(f"/repositories/{documents}")).status == 200
    await groups.set_group(root, family.id, groups.ChangeGroup(remove_members=["bob"]))
    assert "documents</bdi>" not in (await browser.get("/")).text
    assert (await browser.get(f"/repositories/{documents}")).status == 404


async def test_administrators_see_everything(browser: Browser, documents: int) -> None:
    await browser.log_in("root")
    assert "documents" in (await browser.get("/")).text
    assert (await browser.get(f"/repositories/{documents}")).status == 200


async def test_who_is_no_administrator_any_more_sees_only_what_is_theirs(
    browser: Browser, root: Actor, bob: Actor, documents: int
) -> None:
    assert bob.user_id is not None
    await users.set_user(root, bob.user_id, users.ChangeUser(role=Role.ADMINISTRATOR))
    await browser.log_in("bob")
    assert (await browser.get(f"/repositories/{documents}")).status == 200
    await users.set_user(root, bob.user_id, users.ChangeUser(role=Role.MEMBER))
    assert (await browser.get(f"/repositories/{documents}")).status == 404


async def test_what_is_in_the_trash_is_off_the_list_and_its_page_says_so(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await trash.delete_repository(alice, documents)
    await browser.log_in("alice")
    assert "documents</bdi>" not in (await browser.get("/")).text
    text = (await browser.get(f"/repositories/{documents}")).text
    assert "In the trash" in text
    assert "hive repo restore" in text
    assert "borg init" not in text


async def test_the_owner_of_a_key_sees_all_it_opens_and_who_shares_it_only_their_own(
    root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    """Bob shares alice's key; it told him name and login of every repository it opens."""
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    await keys.add_key(
        alice, keys.AddKey(name="shared", owner="alice", text=public_key(), groups=["family"])
    )
    await grants.change_access(
        alice, documents, grants.ChangeAccess(accesses={"shared": Access.FULL})
    )
    assert [use.repository for use in (await keys.find_key(alice, "shared")).uses] == ["documents"]
    assert (await keys.find_key(bob, "shared")).uses == ()
