"""Sessions, events and the audit log: filtered, paged, and what can be done from there."""

from __future__ import annotations

import json
import re

import pytest

from hive import signals
from hive.event_groups import GROUPS
from hive.kinds import EndReason, EventKind
from hive.services import events
from hive.services.accounts import users
from hive.services.keys import keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import progress
from hive.signals import EndSession
from tests.web.browser import Browser
from tests.web.rows import RUNNING, add_session, public_key
from tests.web.scene import make_scene


def ids(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'<a href="/sessions/(\d+)"', text)]


async def test_sessions_that_run_come_first_and_the_others_by_pages(
    browser: Browser, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    running = await add_session(made.id, minutes_ago=600, **RUNNING)
    ended = [(await add_session(made.id)).id for _ in range(60)]
    await browser.log_in("alice")
    first = (await browser.get("/sessions")).text
    assert ids(first) == [running.id, *reversed(ended[10:])]
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = (await browser.get(older)).text
    assert ids(second) == list(reversed(ended[:10]))


async def test_sessions_are_narrowed_by_what_stands_in_the_address(
    browser: Browser, alice: Actor
) -> None:
    one = await catalogue.add_repository(alice, "one", owner="alice")
    two = await catalogue.add_repository(alice, "two", owner="alice")
    key = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    created = await add_session(one.id, operation="create", key_id=key.id)
    read = await add_session(two.id, operation="read", key_name="nas")
    lost = await add_session(two.id, end_reason=EndReason.CLIENT_GONE, exit_status=None)
    failed = await add_session(two.id, exit_status=2, operation="create")
    running = await add_session(one.id, **RUNNING)
    await browser.log_in("alice")
    for query, wanted in (
        (f"repository={two.id}", [failed.id, lost.id, read.id]),
        ("repository=two", [failed.id, lost.id, read.id]),
        ("repository=alice/two", [failed.id, lost.id, read.id]),
        ("operation=create", [failed.id, created.id]),
        ("state=live", [running.id]),
        ("state=well", [read.id, created.id]),
        ("state=badly", [failed.id, lost.id]),
        ("state=ended", [failed.id, lost.id, read.id, created.id]),
        ("key=nas", [read.id]),
        (f"key={key.fingerprint}".replace("+", "%2B"), [created.id]),
        (f"repository={two.id}&operation=create&state=well", []),
        (
            "repository=&operation=&state=&key=",
            [running.id, failed.id, lost.id, read.id, created.id],
        ),
    ):
        assert ids((await browser.get(f"/sessions?{query}")).text) == wanted, query


@pytest.mark.parametrize("query", ["operation=none", "state=all", "before=x"])
async def test_a_filter_that_is_none_is_refused(browser: Browser, alice: Actor, query: str) -> None:
    await browser.log_in("alice")
    assert (await browser.get(f"/sessions?{query}")).status == 422


@pytest.mark.parametrize("path", ["/events", "/sessions"])
async def test_a_filter_by_an_unknown_repository_says_so_and_shows_no_row(
    browser: Browser, alice: Actor, bob: Actor, path: str
) -> None:
    secret = await catalogue.add_repository(bob, "secret", owner="bob")
    own = await catalogue.add_repository(alice, "documents", owner="alice")
    for repository in (own, secret):
        await add_session(repository.id)
    await browser.log_in("alice")
    for text in ("secret", "bob/secret", str(secret.id), "x", "1e9", "../x", "a" * 400):
        answer = await browser.get(f"{path}?repository={text}")
        assert answer.status == 200
        assert "There is no repository" in answer.text
        assert ids(answer.text) == []
        assert "documents" not in answer.text.partition("<main")[2]


async def test_repositories_are_suggested_while_one_types(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    await catalogue.add_repository(bob, "nas", owner="bob")
    for name in ("nas", "Nas-of-Anna", "laptop"):
        await catalogue.add_repository(alice, name, owner="alice")
    await browser.log_in("alice")
    for text, found in (
        ("NAS", ["alice/Nas-of-Anna", "alice/nas"]),
        ("alice/lap", ["alice/laptop"]),
        ("bob", []),
        ("%25", []),
        ("", ["alice/Nas-of-Anna", "alice/laptop", "alice/nas"]),
    ):
        answer = await browser.get(f"/repositories/names?q={text}")
        assert json.loads(answer.text) == found, text


async def test_ending_a_session_asks_the_gate_and_leads_back(browser: Browser) -> None:
    scene = await make_scene()
    told: list[object] = []
    unsubscribe = signals.subscribe(told.append)
    await browser.log_in("dora")
    fields = {"next": "/sessions?state=live"}
    answer = await browser.post(f"/sessions/{scene.live}/end", fields)
    unsubscribe()
    assert answer.location == "/sessions?state=live"
    assert EndSession(scene.live, "ended by dora") in told
    assert "is being ended" in (await browser.get(answer.location)).text
    assert (await browser.post(f"/sessions/{scene.session}/end", fields)).status == 409


async def test_a_running_session_shows_what_has_passed_so_far(browser: Browser) -> None:
    scene = await make_scene()
    await browser.log_in("bob")
    progress.view().update([(scene.live, 7_654_000_000, 1_230_000)])
    for path in ("/sessions", f"/sessions/{scene.live}"):
        text = (await browser.get(path)).text
        assert "7.65 GB" in text
        assert "1.23 MB" in text
    progress.view().update([])


async def test_only_who_may_end_it_sees_the_button(browser: Browser) -> None:
    scene = await make_scene()
    for name, may in (("bob", False), ("dora", True), ("alice", True), ("root", True)):
        await browser.log_in(name)
        for path in ("/sessions", f"/sessions/{scene.live}"):
            text = (await browser.get(path)).text
            assert (f'action="/sessions/{scene.live}/end"' in text) is may, (name, path)


async def test_a_session_tells_its_verdict(browser: Browser) -> None:
    scene = await make_scene()
    await browser.log_in("alice")
    text = (await browser.get(f"/sessions/{scene.session}")).text
    for said in ("It made a complete archive.", "1.38 GB", "12.00 MB", "borg 1.4.1", "62 %"):
        assert said in text
    lost = (await browser.get("/sessions?state=badly")).text
    page = (await browser.get(f"/sessions/{ids(lost)[0]}")).text
    assert "only a checkpoint" in page
    assert "in the middle of a backup" in page


def test_every_event_is_in_one_group() -> None:
    grouped = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(grouped) == sorted(EventKind)


async def test_events_are_narrowed_and_paged(browser: Browser, alice: Actor) -> None:
    one = await catalogue.add_repository(alice, "one", owner="alice")
    two = await catalogue.add_repository(alice, "two", owner="alice")
    for number in range(60):
        await events.record(one.id, EventKind.OPENED, f"opened number {number:02}")
    await events.record(two.id, EventKind.STALE_LOCK, "A lock keeps others out.")
    await browser.log_in("alice")
    seen, path = [], f"/events?repository={one.id}&kind=sessions"
    while path:
        text = (await browser.get(path)).text
        seen += re.findall(r"opened number (\d\d)", text)
        assert "A lock keeps others out." not in text
        rest = re.search(r'href="(/events\?[^"]*before=[^"]*)"', text)
        path = rest[1].replace("&amp;", "&") if rest else ""
    assert seen == [f"{number:02}" for number in reversed(range(60))]
    alarms = (await browser.get("/events?kind=alarms")).text
    assert "A lock keeps others out." in alarms
    assert "opened number" not in alarms


async def test_the_audit_log_is_narrowed(browser: Browser, root: Actor, alice: Actor) -> None:
    await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    assert alice.user_id is not None
    await users.set_user(root, alice.user_id, users.ChangeUser(email="alice@example.org"))
    await browser.log_in("root")
    text = (await browser.get("/admin/audit?by=alice")).text
    assert "key laptop of alice" in text
    assert "alice@example.org" not in text
    changed = (await browser.get("/admin/audit?action=user.set")).text
    assert "alice@example.org" in changed
    assert "key laptop" not in changed
