from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator

import pytest
from tortoise.exceptions import OperationalError

from hive import errors, log
from hive.services import runtime
from hive.services.accounts import first_setup
from hive.services.overview import rows
from hive.services.permissions import Actor
from tests.web.browser import PASSWORD, Browser, NewBrowser
from tests.web.conftest import Health
from web.pages import healthz as health_page


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield capsys
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_actor: Actor, *_given: object) -> None:
        raise error

    monkeypatch.setattr(rows, "rows_of", fail)


async def test_an_unexpected_error_shows_an_id_and_the_log_has_the_rest(
    browser: Browser,
    alice: Actor,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.CaptureFixture[str],
) -> None:
    log.configure("debug")
    await browser.log_in("alice")
    fail_with(RuntimeError("a secret in /srv/borg"), monkeypatch)
    answer = await browser.get("/")
    assert answer.status == 500
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "Traceback" not in answer.text
    found = re.search(r"<code>([0-9a-f]{16})</code>", answer.text)
    assert found is not None
    assert found[1] == answer.headers["X-Request-ID"]
    lines = logged.readouterr().err.splitlines()
    about = [line for line in lines if "unexpected error" in line]
    assert len(about) == 1
    assert f"request={found[1]}" in about[0]
    assert any("a secret in /srv/borg" in line for line in lines)


@pytest.mark.parametrize(
    "case",
    [
        (errors.NotFound("There is no such thing."), 404, True),
        (errors.Forbidden("You may not."), 403, True),
        (errors.InvalidInput("That is wrong."), 422, True),
        (errors.Conflict("Not beside the other."), 409, True),
        (errors.Unavailable("The gate does not run."), 503, True),
        (errors.DatabaseError("The database cannot do /srv/x."), 503, False),
        (errors.StorageError("/srv/x is gone."), 503, False),
        (errors.ConfigError("/etc/x line 3."), 500, False),
        (OperationalError("no such table: /srv/x"), 503, False),
    ],
)
async def test_each_kind_of_error_has_its_status_and_people_are_told_what_concerns_them(
    browser: Browser,
    alice: Actor,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[Exception, int, bool],
) -> None:
    error, status, is_told = case
    await browser.log_in("alice")
    fail_with(error, monkeypatch)
    answer = await browser.get("/")
    assert answer.status == status
    assert (str(error) in answer.text) is is_told


async def test_a_wrong_method_names_the_right_ones(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    answer = await browser.get("/logout")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    big = "x" * 70_000
    assert (await browser.log_in("alice", big)).status == 413

    async def in_pieces() -> object:
        for _ in range(20):
            yield b"x" * 10_000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await browser.ask("POST", "/login", data=in_pieces(), headers=headers)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"name=%FF&password=%80", "application/x-www-form-urlencoded", 422),
        (b"\xff\xfe", "application/x-www-form-urlencoded; charset=utf-8", 422),
        (b"name=a", "application/x-www-form-urlencoded; charset=nonsense", 401),
        (b"&".join(b"a=1" for _ in range(100)), "application/x-www-form-urlencoded", 422),
        (b"", "application/x-www-form-urlencoded", 401),
        (b"{}", "application/json", 415),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x", 415),
    ],
)
async def test_a_form_that_is_none_is_refused(
    browser: Browser, root: Actor, body: bytes, kind: str, status: int
) -> None:
    answer = await browser.ask("POST", "/login", data=body, headers={"Content-Type": kind})
    assert answer.status == status


async def test_nothing_secret_is_logged(
    browser: Browser, logged: pytest.CaptureFixture[str]
) -> None:
    log.configure("debug")
    token = await first_setup.new_setup_token()
    assert token
    await browser.get(f"/setup/{token}")
    await browser.get(f"/setup/{token}/")
    await browser.get(f"/?secret={token}")
    await browser.post(
        f"/setup/{token}", {"name": "alice", "password": PASSWORD, "repeated": PASSWORD}
    )
    await browser.get(f"/login?next=/{token}")
    text = logged.readouterr().err
    assert "route='/setup/{token}' status=200" in text
    for secret in (token, PASSWORD, browser.token):
        assert secret
        assert secret not in text


async def test_an_id_that_the_client_sends_is_not_ours(browser: Browser) -> None:
    answer = await browser.get("/login", headers={"X-Request-ID": "forged"})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])


async def test_healthz_says_ok_or_what_is_not(browser: Browser, health: Health) -> None:
    answer = await browser.get("/healthz")
    assert (answer.status, answer.text) == (200, "ok")
    health.problems = ["database", "SSH gate"]
    answer = await browser.get("/healthz")
    assert (answer.status, answer.text) == (503, "database\nSSH gate")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (await browser.ask("HEAD", "/healthz")).status == 503


async def test_a_health_check_that_hangs_is_ill(
    new_browser: NewBrowser, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_page, "_PATIENCE", 0.05)

    async def hang(_self: Health) -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(Health, "__call__", hang)
    answer = await (await new_browser()).get("/healthz")
    assert (answer.status, answer.text) == (503, "the health check took too long")


async def test_healthz_needs_no_database(browser: Browser) -> None:
    await runtime.stop()
    assert (await browser.get("/healthz")).status == 200
    assert (await browser.get("/static/app.css")).status == 200
