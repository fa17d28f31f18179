"""The pages of triggers: added with a form, pressed for real, and silent about secrets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from aiohttp import web

from hive.kinds import ShareLevel, TriggerKind, TriggerReason, TriggerState
from hive.models import TriggerRun
from hive.services import triggers
from hive.services.accounts import groups
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from tests.services.triggers.awx import TOKEN, serve, serve_awx
from tests.web.browser import Browser
from tests.web.test_hostile_text import HOSTILE, check
from tests.web.triggering import HOOK, add, add_hook, press, read, words


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Leave to reach the servers of these tests, and a command."""
    return {
        "notifications": {"allowed_networks": ["127.0.0.0/8"]},
        "triggers": {"commands": {"wake-nas": ["/bin/echo", "woken"]}},
    }


@pytest.fixture
async def documents(alice: Actor, bob: Actor) -> AsyncIterator[int]:
    """Alice's repository, which bob may see, on a server that hears of buttons."""
    await groups.add_group(OPERATOR, groups.AddGroup(name="family", members=["alice", "bob"]))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", share_levels={"family": ShareLevel.VIEW}
    )
    end = triggers.listen()
    yield made.id
    end()
    await triggers.stop()


async def test_a_webhook_is_added_and_pressed_and_its_answer_is_on_the_page_of_the_run(
    browser: Browser, alice: Actor, documents: int
) -> None:
    seen: list[tuple[str, str, str | None, str]] = []

    async def take(request: web.Request) -> web.Response:
        header = request.headers.get("Authorization")
        seen.append((request.method, request.path_qs, header, await request.text()))
        return web.Response(status=202, text="queued <b>for</b> hidden-path\u202e")

    await browser.log_in("alice")
    async with serve(web.route("*", "/hook/{secret}", take)) as url:
        here = await add(browser, documents, **HOOK, url=f"{url}/hook/hidden-path?key=hidden-key")
        assert "The trigger wake the laptop was added." in await read(browser, here)
        run = await press(browser, here)
    login = (await catalogue.find_repository(alice, "documents")).login
    body = f'{{"wake": "{login}", "key": "hidden-body"}}'
    assert seen == [("PUT", "/hook/hidden-path?key=hidden-key", "Bearer hidden-bearer", body)]
    text = await read(browser, run)
    assert "succeeded" in text
    assert "The answer was 202: queued <b>for</b> ••••\\u202e" in text
    assert "by alice" in text
    check((await browser.get(run)).text)
    listed = await read(browser, f"/repositories/{documents}/triggers")
    for told in ("webhook", "0 3 * * * Europe/Berlin", "when the backup is late", "just now"):
        assert told in listed
    assert "queued" in listed
    assert "queued" in await read(browser, here)


async def test_no_page_shows_a_secret_to_anybody(
    browser: Browser, root: Actor, alice: Actor, documents: int
) -> None:
    for name in ("root", "alice", "bob"):
        await browser.log_in(name)
        if name == "root":
            here = await add(
                browser, documents, **HOOK, url="http://127.0.0.1:9/hidden-path?key=hidden-key"
            )
            run = await press(browser, here)
        pages = [here, run, f"/repositories/{documents}/triggers", "/events"]
        if name != "bob":
            pages += [f"{here}/edit", f"{here}/delete"]
            wrong = await browser.post(f"{here}/edit", {**HOOK, "name": "", "url": "hidden-url"})
            assert wrong.status == 422
            assert wrong.text.count("secrets are not sent back") == 3
            assert "hidden-" not in wrong.text
        if name == "root":
            pages.append("/admin/audit")
        for path in pages:
            answer = await browser.get(path)
            assert answer.status == 200, path
            assert "hidden-" not in answer.text, path


async def test_an_empty_secret_stays_a_typed_one_replaces_it_and_a_box_takes_it_away(
    browser: Browser, alice: Actor, documents: int
) -> None:
    seen: list[tuple[str | None, str | None, str]] = []

    async def take(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((headers.get("Token"), headers.get("Other"), await request.text()))
        return web.Response()

    await browser.log_in("alice")
    async with serve(web.post("/hook", take)) as url:
        trigger = await add_hook(alice, documents, f"{url}/hook")
        here = f"/triggers/{trigger.id}"
        form = (await browser.get(f"{here}/edit")).text
        assert 'id="drop-header.Token"' in form
        assert f"{url}/••••" in unescape(form)
        for fields in (
            {},
            {"header": "token: another\nOther: one"},
            {"drop-header.Token": "yes", "drop-body": "yes"},
        ):
            answer = await browser.post(f"{here}/edit", {"name": "wake", **fields})
            assert (answer.status, answer.location) == (303, here)
            await press(browser, here)
    assert seen == [
        ("hidden-token", None, "hidden-body"),
        ("another", "one", "hidden-body"),
        (None, "one", ""),
    ]


async def test_secrets_do_not_follow_an_address_to_another_server(
    browser: Browser, alice: Actor, documents: int
) -> None:
    """Whoever may manage a repository could else read what others put in, at their own server."""
    trigger = await add_hook(alice, documents)
    await browser.log_in("alice")
    here = f"/triggers/{trigger.id}/edit"
    moved = {"name": "wake", "url": "https://mallory.example/"}
    answer = await browser.post(here, moved)
    assert answer.status == 422
    assert 'id="problem-header"' in answer.text
    answer = await browser.post(here, {**moved, "header": "Token: mine"})
    assert 'id="problem-body"' in answer.text
    answer = await browser.post(here, {**moved, "header": "Token: mine", "drop-body": "yes"})
    assert answer.status == 303


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("webhook", {"name": "a/b", "url": "https://example.org"}, "name"),
    ("webhook", {"url": ""}, "url"),
    ("webhook", {"url": "ftp://example.org/"}, "url"),
    ("webhook", {"url": "https://example.org", "method": "BREW"}, "method"),
    ("webhook", {"url": "https://example.org", "seconds": "soon"}, "seconds"),
    ("webhook", {"url": "https://example.org", "header": "no colon"}, "header"),
    ("webhook", {"url": "https://example.org", "header": "Host: other"}, "header"),
    ("webhook", {"url": "https://example.org", "method": "GET", "body": "x"}, "body"),
    ("webhook", {"url": "https://example.org", "cron": "61 * * * *"}, "cron"),
    ("webhook", {"url": "https://x.org", "cron": "* * * * *", "timezone": "B"}, "timezone"),
    ("awx", {"url": "https://example.org", "template": "x", "token": "t"}, "template"),
    ("awx", {"url": "https://example.org", "template": "7"}, "token"),
    ("awx", {"template": "7", "token": "t"}, "url"),
    ("awx", {"url": "https://a.org", "template": "7", "token": "t", "api": "v2"}, "api"),
    ("awx", {"url": "https://a.org", "template": "7", "token": "t", "give_up": "x"}, "give_up"),
    (
        "awx",
        {"url": "https://a.org", "template": "7", "token": "t", "extra_vars": "[1]"},
        "extra_vars",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[0]}-{case[2]}")
async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    browser: Browser, alice: Actor, documents: int, case: tuple[str, dict[str, str], str]
) -> None:
    kind, fields, wrong = case
    await browser.log_in("alice")
    sent = {"kind": kind, "name": "nightly", "limit": "a-host", "late": "yes", **fields}
    answer = await browser.post(f"/repositories/{documents}/triggers/add", sent)
    assert answer.status == 422
    assert f'id="problem-{wrong}"' in answer.text
    assert f'href="#{wrong}"' in answer.text
    assert f'value="{sent["name"]}"' in answer.text
    assert re.search(r'name="late"[^>]* checked', answer.text)
    if kind == "awx":
        assert 'value="a-host"' in answer.text
        assert not re.search(r'id="token"[^>]* value=', answer.text)
    check(answer.text)
    assert await triggers.list_triggers(alice) == []


async def test_a_taken_name_is_told_at_the_name(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await add_hook(alice, documents)
    await browser.log_in("alice")
    sent = {"kind": "webhook", "name": "wake", "url": "https://example.org"}
    answer = await browser.post(f"/repositories/{documents}/triggers/add", sent)
    assert answer.status == 409
    assert 'id="problem-name"' in answer.text


async def test_a_job_of_awx_is_started_and_the_page_leads_to_it(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    async with serve_awx() as awx:
        here = await add(
            browser,
            documents,
            kind="awx",
            name="nightly",
            url=awx.url,
            template="7",
            token=TOKEN,
            extra_vars='{"host": "{login}"}',
        )
        run = await press(browser, here)
        assert awx.launches[0]["extra_vars"]["host"] != "{login}"
        page = await browser.get(run)
        link = f"{awx.url}/#/jobs/playbook/42/output"
        assert f'<a href="{link}" rel="noopener noreferrer">Job 42 in AWX</a>' in page.text
        assert "running" in words(page.text)
        assert "Look again" in words(page.text)
        assert "Job 42 in AWX" in await read(browser, f"/repositories/{documents}/triggers")
        again = await browser.post(f"{here}/start")
        assert again.location == here
        assert "still running" in await read(browser, here)
        form = await browser.get(f"{here}/edit")
        assert TOKEN not in form.text
        assert "{&#34;host&#34;: &#34;{login}&#34;}" in form.text


async def test_commands_are_for_administrators_alone_to_choose(
    browser: Browser, root: Actor, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    adding = f"/repositories/{documents}/triggers/add"
    offered = (await browser.get(adding)).text
    assert "kind=webhook" in offered
    assert "kind=command" not in offered
    assert "Calls an address over HTTP" in await read(browser, f"{adding}?kind=command")
    sent = {"kind": "command", "name": "nas", "command": "wake-nas"}
    assert (await browser.post(adding, sent)).status == 403
    await browser.log_in("root")
    assert "wake-nas" in await read(browser, f"{adding}?kind=command")
    here = await add(browser, documents, **sent)
    unknown = await browser.post(adding, {**sent, "name": "other", "command": "rm"})
    assert unknown.status == 422
    assert 'id="problem-command"' in unknown.text
    await browser.log_in("alice")
    assert "Only an administrator says which command" in await read(browser, f"{here}/edit")
    forged = {"name": "the nas", "command": "other", "cron": "0 4 * * *"}
    assert (await browser.post(f"{here}/edit", forged)).status == 303
    (info,) = await triggers.list_triggers(alice)
    assert (info.name, info.cron, info.timezone) == ("the nas", "0 4 * * *", "UTC")
    assert info.settings == {"command": "wake-nas"}


async def test_who_may_only_look_sees_the_list_and_the_runs_and_no_settings(
    browser: Browser, alice: Actor, documents: int
) -> None:
    async def take(_: web.Request) -> web.Response:
        return web.Response(text="good morning")

    async with serve(web.post("/", take)) as url:
        trigger = await add_hook(alice, documents, url)
        await browser.log_in("alice")
        here = f"/triggers/{trigger.id}"
        run = await press(browser, here)
        assert url in (await browser.get(here)).text
        await browser.log_in("bob")
        assert "Triggers" in await read(browser, f"/repositories/{documents}/settings")
        for path in (f"/repositories/{documents}/triggers", here, run):
            text = (await browser.get(path)).text
            assert "good morning" in text
            assert url not in text
            for word in ("Start now", "Edit", "Delete", "Add a trigger", "header."):
                assert word not in text, f"{word} on {path}"


async def test_a_trigger_is_disabled_enabled_and_deleted(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    sent = {"kind": "webhook", "name": "wake", "url": "https://example.org", "cron": "0 3 * * *"}
    here = await add(browser, documents, **sent)
    assert "It is called in" in await read(browser, here)
    await browser.post(f"{here}/disable")
    assert "wake is disabled." in await read(browser, here)
    assert "disabled" in await read(browser, f"/repositories/{documents}/triggers")
    await browser.post(f"{here}/enable")
    assert "It is called in" in await read(browser, here)
    assert "Delete this trigger?" in await read(browser, f"{here}/delete")
    answer = await browser.post(f"{here}/delete")
    assert answer.location == f"/repositories/{documents}/triggers"
    assert "No trigger starts backups" in await read(browser, answer.location)
    assert (await browser.get(here)).status == 404


async def test_the_schedule_is_taken_away_by_emptying_its_field(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    here = await add(browser, documents, **HOOK, url="https://example.org")
    left = {"name": "wake the laptop", "cron": "", "timezone": "Europe/Berlin"}
    assert (await browser.post(f"{here}/edit", left)).status == 303
    text = await read(browser, here)
    assert "It is called only by its button." in text
    (info,) = await triggers.list_triggers(alice)
    assert (info.cron, info.timezone, info.is_for_late) == (None, None, False)


async def test_runs_are_shown_page_by_page(browser: Browser, alice: Actor, documents: int) -> None:
    trigger = await add_hook(alice, documents)
    for number in range(30):
        await TriggerRun.create(
            trigger_id=trigger.id,
            reason=TriggerReason.SCHEDULE,
            state=TriggerState.MISSED if number % 2 else TriggerState.OVERLAPPED,
            started_at=trigger.created_at,
            ended_at=trigger.created_at,
            message=f"call {number}.",
        )
    await browser.log_in("alice")
    newest = await browser.get(f"/triggers/{trigger.id}")
    assert "call 29." in newest.text
    assert "call 4." not in newest.text
    older = re.search(r'href="([^"]+)" rel="next"', newest.text)
    assert older is not None
    page = await browser.get(unescape(older[1]))
    shown = re.findall(r"call \d+\.", page.text)
    assert shown == [f"call {number}." for number in range(4, -1, -1)]
    assert "Newest runs" in page.text
    assert (await browser.get(f"/triggers/{trigger.id}?before=x")).status == 422


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_is_typed_and_what_answers_does_nothing(
    browser: Browser, alice: Actor, documents: int, text: str
) -> None:
    """A name is taken or refused, an answer is shown; neither is more than text."""

    async def take(_: web.Request) -> web.Response:
        return web.Response(text=text)

    await browser.log_in("alice")
    adding = f"/repositories/{documents}/triggers/add"
    async with serve(web.post("/", take)) as url:
        named = await browser.post(adding, {"kind": "webhook", "name": text, "url": url})
        assert named.status in (303, 422)
        check(named.text)
        others = ("url", "method", "seconds", "cron", "timezone", "header", "template")
        typed = {"name": text, **dict.fromkeys(others, text[:2000])}
        for kind in ("webhook", "awx", text[:2000]):
            answer = await browser.post(adding, {**typed, "kind": kind})
            assert answer.status in (409, 422)
            check(answer.text)
        here = await add(browser, documents, kind="webhook", name="wake", url=url)
        run = await press(browser, here)
        for path in (run, here, f"{here}/edit", f"/repositories/{documents}/triggers"):
            page = await browser.get(path)
            assert page.status == 200
            check(page.text)
    assert "The answer was 200" in await read(browser, run)


async def test_another_trigger_that_is_named_like_a_number_is_not_the_one_with_that_id(
    browser: Browser, alice: Actor, documents: int
) -> None:
    first = await add_hook(alice, documents)
    url = {"url": "https://example.org"}
    name = str(first.id)
    await triggers.add_trigger(
        alice, documents, triggers.AddTrigger(name=name, kind=TriggerKind.WEBHOOK, settings=url)
    )
    await browser.log_in("alice")
    assert "<h1><bdi>wake</bdi></h1>" in (await browser.get(f"/triggers/{first.id}")).text


async def test_a_repository_in_the_trash_has_no_triggers(
    browser: Browser, alice: Actor, documents: int
) -> None:
    trigger = await add_hook(alice, documents)
    await catalogue.mark_deleted(alice, documents)
    await browser.log_in("alice")
    for path in (f"/repositories/{documents}/triggers", f"/triggers/{trigger.id}"):
        assert (await browser.get(path)).status == 404
