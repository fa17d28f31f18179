"""Triggers and reports with the server as a process, killed in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from hive.kinds import TriggerKind, TriggerState
from hive.services import runtime, triggers
from hive.services.accounts import users
from hive.services.permissions import OPERATOR
from hive.services.reports import tokens
from hive.services.repositories import catalogue
from tests.e2e.gate.harness import until
from tests.e2e.installation import Installation
from tests.factories import make_settings
from tests.services.triggers.awx import TOKEN, FakeAwx, serve_awx


@pytest.fixture
async def awx() -> AsyncIterator[FakeAwx]:
    async with serve_awx() as serving:
        yield serving


@pytest.fixture
async def beside(installation: Installation) -> AsyncIterator[None]:
    """The services in this process too, as a command has them beside the server."""
    await runtime.start(make_settings(installation.data))
    yield
    await runtime.stop()


@pytest.mark.long
async def test_a_job_is_followed_over_the_servers_violent_end(
    installation: Installation, awx: FakeAwx, beside: None
) -> None:
    installation.environment = {"HIVE_NOTIFICATIONS__ALLOWED_NETWORKS": "127.0.0.0/8"}
    await users.add_user(OPERATOR, users.AddUser(name="alice"))
    repository = await catalogue.add_repository(OPERATOR, "documents", owner="alice")
    settings = {"url": awx.url, "template": "8", "token": TOKEN}
    await triggers.add_trigger(
        OPERATOR,
        repository.id,
        triggers.AddTrigger(name="nightly", kind=TriggerKind.AWX, settings=settings),
    )
    ping = await tokens.add_token(OPERATOR, repository.id, "laptop")

    async def state() -> tuple[TriggerState | None, str | None]:
        last = (await triggers.find_trigger(OPERATOR, "nightly")).last_run
        return (last.state, last.external_id) if last is not None else (None, None)

    async def is_launched() -> bool:
        return await state() == (TriggerState.RUNNING, "42")

    async def has_succeeded() -> bool:
        await asyncio.to_thread(installation.hive, "job", "run", "call the triggers")
        return await state() == (TriggerState.SUCCEEDED, "42")

    await asyncio.to_thread(installation.start)
    async with ClientSession() as client:
        url = f"{installation.web_url}/ping/{ping.token}/start"
        async with client.post(url) as answer:
            assert await answer.text() == "OK"
    await asyncio.to_thread(installation.hive, "trigger", "run", "nightly")
    await until(is_launched)

    installation.signal(signal.SIGKILL)
    await asyncio.to_thread(installation.wait)
    awx.job["status"] = "successful"
    await asyncio.to_thread(installation.start)
    await until(has_succeeded, seconds=30)
    assert len(awx.launches) == 1
    assert await asyncio.to_thread(installation.stop) == 0
    assert TOKEN not in installation.log
    assert ping.token not in installation.log
    assert "/ping/{token}" in installation.log
