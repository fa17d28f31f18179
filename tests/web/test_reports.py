"""The pages of reports and ping tokens: an address is seen once, works, and is told nowhere."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hive import clock
from hive.kinds import RunState, RunVerdict, ShareLevel
from hive.models import Run
from hive.services import runtime
from hive.services.accounts import groups
from hive.services.permissions import OPERATOR, Actor
from hive.services.reports import tokens
from hive.services.repositories import catalogue
from tests.programs import tool_command
from tests.web.browser import Browser, NewBrowser
from tests.web.test_hostile_text import HOSTILE, check
from tests.web.triggering import read, words


@pytest.fixture
async def machine(new_browser: NewBrowser) -> Browser:
    """A client that is not logged in: all it has is an address to report to."""
    return await new_browser()


@pytest.fixture
async def documents(alice: Actor, bob: Actor) -> int:
    """Alice's repository, which bob may see."""
    await groups.add_group(OPERATOR, groups.AddGroup(name="family", members=["alice", "bob"]))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", share_levels={"family": ShareLevel.VIEW}
    )
    return made.id


async def make_token(browser: Browser, repository: int, name: str = "laptop") -> tuple[str, str]:
    """Send the form; the path that reports, and the page that shows its address."""
    adding = f"/repositories/{repository}/reports/tokens/add"
    answer = await browser.post(adding, {"name": name})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found = re.search(r'<code id="ping-url">http://[^/<]+(/ping/[^<]+)</code>', answer.text)
    assert found is not None
    return found[1], answer.text


async def report(repository: int, state: RunState, **more: object) -> Run:
    now = clock.now()
    row: dict[str, Any] = {
        "started_at": now,
        "ended_at": now,
        "peer": "192.0.2.17",
        "state": state,
        **more,
    }
    return await Run.create(repository_id=repository, **row)


async def test_a_token_is_made_and_what_is_reported_with_it_is_shown(
    browser: Browser, machine: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}/reports"
    assert "each machine needs a ping token" in await read(browser, here)
    path, _ = await make_token(browser, documents)
    assert "never" in await read(browser, here)
    for end in ("/start", "/2"):
        answer = await machine.ask(
            "POST", path + end, data=b"Repository does not exist.\n", headers={"User-Agent": "curl"}
        )
        assert (answer.status, answer.text) == (200, "OK")
    text = await read(browser, here)
    for told in ("failed", "exit status 2", "Not compared yet", "0s", "laptop", "127.0.0.1"):
        assert told in text
    assert "just now" in text
    link = re.search(r'href="(/reports/\d+)"', (await browser.get(here)).text)
    assert link is not None
    one = await read(browser, link[1])
    assert "Repository does not exist." in one
    assert "curl" in one


async def test_the_address_is_on_no_other_page_in_no_message_and_in_no_log(
    browser: Browser, root: Actor, documents: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await browser.log_in("root")
    path, _ = await make_token(browser, documents)
    token = path.removeprefix("/ping/")
    assert len(token) > 40
    again = await browser.post(f"/repositories/{documents}/reports/tokens/add", {"name": "laptop"})
    assert again.status == 409
    assert 'id="problem-name"' in again.text
    for page in (
        f"/repositories/{documents}/reports",
        f"/repositories/{documents}/reports/tokens/add",
        f"/repositories/{documents}",
        "/reports/tokens/1/delete",
        "/events",
        "/admin/audit",
    ):
        answer = await browser.get(page)
        assert answer.status == 200, page
        assert token not in answer.text, page
        assert token not in again.text
    assert token not in "".join(record.getMessage() for record in caplog.records)


async def test_what_is_to_be_copied_is_what_the_clients_take(
    browser: Browser, machine: Browser, alice: Actor, documents: int
) -> None:
    """Each address in it reports; the shell reads what is meant for it."""
    await browser.log_in("alice")
    path, text = await make_token(browser, documents)
    blocks = {
        name: unescape(block)
        for name, block in re.findall(r'<code id="report-([\w-]+)">([^<]+)</code>', text)
    }
    assert list(blocks) == [
        *("curl", "healthchecks", "kuma", "cronitor", "vorta-before", "vorta-after", "cron")
    ]
    for name in ("healthchecks", "kuma", "cronitor"):
        key, _, quoted = blocks[name].splitlines()[1].strip().partition(": ")
        assert key == ("push_url" if name == "kuma" else "ping_url")
        address = json.loads(quoted)
        assert (await machine.get("/" + address.split("/", 3)[3])).status == 200
    assert blocks["healthchecks"].endswith("send_logs: true")
    assert "/start; " in blocks["cron"]
    assert blocks["cron"].endswith(f"{path}/$?")
    assert shlex.split(blocks["vorta-after"])[-1].endswith(f"{path}/$returncode")
    for name in ("curl", "vorta-before", "vorta-after"):
        subprocess.run(["/bin/sh", "-n"], input=blocks[name], text=True, check=True)
    assert "Without HTTPS" in text


@pytest.mark.long
async def test_borgmatic_takes_what_is_to_be_copied(
    browser: Browser, alice: Actor, documents: int, tmp_path: Path
) -> None:
    await browser.log_in("alice")
    _, text = await make_token(browser, documents)
    borgmatic = tool_command(".venv-borgmatic", "borgmatic", "HIVE_TEST_BORGMATIC")
    for name in ("healthchecks", "kuma", "cronitor"):
        block = re.search(rf'<code id="report-{name}">([^<]+)</code>', text)
        assert block is not None
        file = tmp_path / f"{name}.yaml"
        file.write_text(f"repositories:\n    - path: /nowhere\n{unescape(block[1])}\n")
        command = [borgmatic, "config", "validate", "--config", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert ended.returncode == 0, ended.stdout + ended.stderr


async def test_with_a_public_url_the_address_is_right_from_the_start(
    new_browser: NewBrowser, alice: Actor, documents: int
) -> None:
    runtime.store_public_url("http://hive.example.org")
    browser = await new_browser(public_url="http://hive.example.org")
    headers = {"Origin": "http://hive.example.org", "Sec-Fetch-Site": "same-origin"}
    login = {"name": "alice", "password": "correct horse battery"}
    await browser.ask("POST", "/login", data=login, headers=headers)
    answer = await browser.ask(
        "POST",
        f"/repositories/{documents}/reports/tokens/add",
        data={"name": "laptop"},
        headers=headers,
    )
    assert "by another address" not in words(answer.text)


async def test_a_token_is_revoked_and_what_it_reported_stays(
    browser: Browser, machine: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}/reports"
    path, _ = await make_token(browser, documents)
    await machine.ask("POST", path)
    (token,) = await tokens.list_tokens(alice, documents)
    deleting = f"/reports/tokens/{token.id}/delete"
    assert "Revoke this ping token?" in await read(browser, deleting)
    assert (await browser.post(deleting)).location == here
    text = await read(browser, here)
    assert "The ping token laptop was revoked" in text
    assert "a revoked token" in text
    assert (await machine.ask("POST", path)).status == 404
    assert (await browser.get(deleting)).status == 404


@pytest.mark.parametrize(
    ("state", "verdict", "told"),
    [
        (RunState.SUCCEEDED, RunVerdict.AGREES, "An archive was written."),
        (RunState.FAILED, RunVerdict.AGREES, "No archive was written, as the client says."),
        (RunState.SUCCEEDED, RunVerdict.NOTHING_WRITTEN, "although the client reported success"),
        (RunState.FAILED, RunVerdict.WRITTEN, "although the client reported a failure"),
        (RunState.SUCCEEDED, RunVerdict.UNKNOWN, "It is not known whether that fits."),
        (RunState.UNFINISHED, RunVerdict.UNKNOWN, "Its end was never reported."),
        (RunState.RUNNING, RunVerdict.UNKNOWN, "Its end is awaited."),
    ],
)
async def test_each_verdict_is_told_in_words(
    browser: Browser, documents: int, state: RunState, verdict: RunVerdict, told: str
) -> None:
    row = await report(documents, state, verdict=verdict)
    await browser.log_in("bob")
    for path in (f"/repositories/{documents}/reports", f"/reports/{row.id}"):
        text = await read(browser, path)
        assert told in text
        assert state.value in text


async def test_who_may_only_look_sees_reports_and_tokens_and_no_buttons(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await tokens.add_token(alice, documents, "laptop")
    await browser.log_in("bob")
    assert "Reports" in await read(browser, f"/repositories/{documents}/settings")
    text = await read(browser, f"/repositories/{documents}/reports")
    assert "laptop" in text
    assert "Add a ping token" not in text
    assert "Revoke" not in text


async def test_a_report_leads_to_the_sessions_of_its_time(browser: Browser, documents: int) -> None:
    row = await report(documents, RunState.FAILED, details={"sessions": [7, 9]})
    await browser.log_in("bob")
    text = (await browser.get(f"/reports/{row.id}")).text
    assert '<a href="/sessions/7">7</a>, <a href="/sessions/9">9</a>' in text


async def test_of_a_long_log_the_end_is_shown_and_the_page_says_so(
    browser: Browser, documents: int
) -> None:
    row = await report(documents, RunState.FAILED, log="first\n" + "x" * 300_000 + "\nlast\n")
    await browser.log_in("bob")
    text = (await browser.get(f"/reports/{row.id}")).text
    assert "\nlast</pre>" in text
    assert "first" not in text
    assert f"hive report show {row.id}" in text
    assert len(text) < 250_000


async def test_reports_are_shown_page_by_page(browser: Browser, documents: int) -> None:
    rows = [await report(documents, RunState.SUCCEEDED) for _ in range(30)]
    await browser.log_in("bob")
    newest = await browser.get(f"/repositories/{documents}/reports")
    older = re.search(r'href="([^"]+)" rel="next"', newest.text)
    assert older is not None
    page = await browser.get(unescape(older[1]))
    shown = [int(one) for one in re.findall(r'href="/reports/(\d+)"', page.text)]
    assert shown == [row.id for row in rows[4::-1]]


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_clients_report_does_nothing(
    browser: Browser, machine: Browser, alice: Actor, documents: int, text: str
) -> None:
    await browser.log_in("alice")
    named = await browser.post(f"/repositories/{documents}/reports/tokens/add", {"name": text})
    assert named.status in (200, 422)
    check(named.text)
    path, _ = await make_token(browser, documents, "nas")
    body = text.encode("utf-8", "surrogateescape")
    assert (await machine.ask("POST", f"{path}/fail", data=body)).status == 200
    row = await Run.all().order_by("-id").first()
    assert row is not None
    for page in (f"/repositories/{documents}/reports", f"/reports/{row.id}"):
        answer = await browser.get(page)
        assert answer.status == 200
        check(answer.text)
