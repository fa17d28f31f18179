"""What clients report over HTTP, well-behaved and not."""

from __future__ import annotations

import asyncio
import gzip
import io
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from hive.kinds import RunState
from hive.services.permissions import SYSTEM, Actor
from hive.services.reports import reports as runs
from hive.services.reports import tokens
from hive.services.reports.reports import RunInfo
from hive.services.repositories import catalogue
from tests.web.browser import Browser
from web.api import ping

MIB = 1024 * 1024


@dataclass
class Reporter:
    """A machine that has a token."""

    browser: Browser
    token: str

    async def ask(self, path: str, method: str = "POST", **given: object) -> int:
        answer = await self.browser.ask(method, f"/ping/{self.token}{path}", **given)
        assert answer.status != 200 or answer.text in ("OK", "")
        return answer.status

    async def runs(self) -> list[RunInfo]:
        return [await runs.get_run(SYSTEM, run.id) for run in await runs.list_runs(SYSTEM)]

    async def last(self) -> RunInfo:
        return (await self.runs())[0]


@pytest.fixture
async def reporter(browser: Browser, alice: Actor) -> Reporter:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    return Reporter(browser, (await tokens.add_token(alice, made.id, "laptop")).token)


@pytest.mark.parametrize("method", ["HEAD", "GET", "POST"])
async def test_every_word_is_understood(reporter: Reporter, method: str) -> None:
    for path, state in (
        ("/start", RunState.RUNNING),
        ("", RunState.SUCCEEDED),
        ("//run", RunState.RUNNING),
        ("//complete", RunState.SUCCEEDED),
        ("/log", RunState.RUNNING),
        ("//fail", RunState.FAILED),
        ("/0", RunState.SUCCEEDED),
        ("/2", RunState.FAILED),
        ("/255/", RunState.FAILED),
        ("/", RunState.SUCCEEDED),
    ):
        assert await reporter.ask(path, method) == 200
        assert (await reporter.last()).state == state, path
    assert [run.exit_status for run in await reporter.runs()][:4] == [None, 255, 2, 0]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/256", 400), ("/99999999999999", 400), ("/-1", 404), ("/stop", 404), ("/start/x", 404)],
)
async def test_what_is_no_report_is_refused(reporter: Reporter, path: str, status: int) -> None:
    assert await reporter.ask(path) == status
    assert await reporter.runs() == []


async def test_an_unknown_token_learns_nothing_and_soon_has_to_wait(reporter: Reporter) -> None:
    for guess in ("x", "y" * 43, "..", "%00", "é" * 40):
        answer = await reporter.browser.ask("POST", f"/ping/{guess}")
        assert answer.status in (303, 401, 404)
    statuses = [
        (await reporter.browser.get(f"/ping/{number:043d}/start")).status for number in range(30)
    ]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert await reporter.ask("") == 200


async def test_runs_are_paired_by_rid(reporter: Reporter) -> None:
    for rid in ("1b1b1b1b-0000", "2c2c2c2c-0000"):
        await reporter.ask(f"/start?rid={rid}")
    await reporter.ask("/fail?rid=1b1b1b1b-0000")
    await reporter.ask("?rid=2c2c2c2c-0000")
    assert [run.state for run in await reporter.runs()] == [RunState.SUCCEEDED, RunState.FAILED]


async def test_the_token_is_in_neither_kept_logs_nor_our_own(
    reporter: Reporter, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = f"https://hive.example/ping/{reporter.token}"
    await reporter.ask("/log", data=f"Using Healthchecks ping URL {url}/log\n".encode())
    assert (await reporter.last()).log == (
        "Using Healthchecks ping URL https://hive.example/ping/***/log\n"
    )
    out, err = capfd.readouterr()
    # aiohttp's own access log is off in the server, and on in its test server
    ours = [row.getMessage() for row in caplog.records if row.name != "aiohttp.access"]
    seen = "".join((out, err, *ours))
    assert reporter.token not in seen
    assert "/ping/{token}" in seen


async def test_of_a_hundred_megabytes_beginning_and_end_are_kept(reporter: Reporter) -> None:
    line = b"x" * 1023 + b"\n"

    async def body() -> AsyncIterator[bytes]:
        yield b"the beginning\n"
        for _ in range(1600):
            yield line * 64
        yield f"the end {reporter.token}\n".encode()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await reporter.ask("", data=body()) == 200
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    run = await reporter.last()
    assert run.log.startswith("the beginning\n")
    assert run.log.endswith("\nthe end ***\n")
    assert "bytes were left out" in run.log
    assert len(run.log) <= ping.HEAD_BYTES + ping.TAIL_BYTES + 100
    assert run.notes.is_cut
    assert run.notes.sent_bytes > 100 * MIB
    assert grown < 40 * 1024  # KiB; the body alone has 100 MiB


async def test_a_secret_at_the_seam_is_not_left_in_halves(reporter: Reporter) -> None:
    head = b"a" * (ping.HEAD_BYTES - 20) + b"\n"
    secret = f"/ping/{reporter.token}\n".encode()
    tail = b"b" * (ping.TAIL_BYTES - 20) + b"\n"
    await reporter.ask("", data=io.BytesIO(head + secret + secret + tail))
    log = (await reporter.last()).log
    pieces = [reporter.token[start : start + 8] for start in range(len(reporter.token) - 8)]
    assert not any(piece in log for piece in pieces)


async def test_bytes_that_are_no_text_are_kept_readable(reporter: Reporter) -> None:
    assert await reporter.ask("", data=bytes(range(256)) * 4) == 200
    log = (await reporter.last()).log
    assert "\0" not in log
    assert "abcdef" in log


async def test_a_packed_body_is_unpacked_and_a_broken_one_loses_only_itself(
    reporter: Reporter,
) -> None:
    packed = {"Content-Encoding": "gzip"}
    await reporter.ask("", data=gzip.compress(b"hello log\n"), headers=packed)
    assert (await reporter.last()).log == "hello log\n"
    await reporter.ask("", data=b"this is no gzip", headers=packed)
    assert len(await reporter.runs()) == 2


async def _send(reporter: Reporter, head: str, *, then_close: bool) -> bytes:
    client = reporter.browser.client
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"POST /ping/{reporter.token}/fail HTTP/1.1\r\nHost: hive\r\n{head}".encode())
    await writer.drain()
    if then_close:
        await asyncio.sleep(0.05)
        writer.close()
        return b""
    answer = await asyncio.wait_for(reader.read(100), 10)
    writer.close()
    return answer


async def test_a_body_that_never_ends_is_answered_all_the_same(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "BODY_SECONDS", 0.2)
    answer = await _send(reporter, "Content-Length: 100\r\n\r\nhalf a line", then_close=False)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    run = await reporter.last()
    assert (run.state, run.log) == (RunState.FAILED, "half a line")


async def test_when_many_send_at_once_the_reports_count_and_the_bodies_of_some_do_not(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "MAX_READERS", 0)
    assert await reporter.ask("/fail", data=b"words") == 200
    run = await reporter.last()
    assert (run.state, run.log) == (RunState.FAILED, "")


async def test_uptime_kuma_clients_report_too_and_their_start_is_no_success(
    reporter: Reporter,
) -> None:
    async def push(query: str) -> RunState:
        answer = await reporter.browser.get(f"/api/push/{reporter.token}?{query}")
        assert (answer.status, answer.text) == (200, '{"ok": true}')
        return (await reporter.last()).state

    assert await push("status=up&msg=start") == RunState.RUNNING
    assert await push("status=up&msg=finish&ping=12") == RunState.SUCCEEDED
    assert await push("status=down&msg=fail") == RunState.FAILED
    assert len(await reporter.runs()) == 2
    assert await push("status=up&msg=all+quiet") == RunState.SUCCEEDED
    assert (await reporter.last()).log == "all quiet"
    unknown = await reporter.browser.get(f"/api/push/{'x' * 43}?status=up")
    assert (unknown.status, unknown.text) == (404, '{"ok": false, "msg": "not found"}')
