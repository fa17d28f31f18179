"""What a real borgmatic reports to a real web application, held against what the gate saw."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from hive import clock
from hive.kinds import EventKind, RunState, RunVerdict
from hive.services import events, runtime
from hive.services.permissions import OPERATOR
from hive.services.reports import reports, tokens
from hive.services.reports.reports import RunInfo
from hive.services.reports.verdicts import Claim
from hive.services.repositories import catalogue
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.test_borgmatic import borgmatic, with_repository
from web.app import create_app


@asynccontextmanager
async def pages() -> AsyncIterator[str]:
    """The web application as the server runs it; its URL."""

    async def all_well() -> list[str]:
        return []

    runner = web.AppRunner(create_app(runtime.settings(), health=all_well), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def report_to(config: Path, url: str, **changed: object) -> None:
    values = json.loads(config.read_text())
    values["healthchecks"] = {"ping_url": url, "send_logs": True}
    values |= changed
    config.write_text(json.dumps(values))


async def judged(house: House) -> RunInfo:
    await until(house.is_quiet)
    later = clock.now() + timedelta(minutes=3)
    clock.use(lambda: later)
    await reports.judge_due()
    clock.use(None)
    (newest, *_) = await reports.list_runs(OPERATOR)
    return await reports.get_run(OPERATOR, newest.id)


async def told() -> list[EventKind]:
    kinds = (EventKind.CLIENT_FAILED, EventKind.CLIENT_UNPROVEN, EventKind.CLIENT_CONTRADICTED)
    return [event.kind for event in await events.recent(OPERATOR) if event.kind in kinds]


async def with_token(house: House, tmp_path: Path) -> tuple[Client, Path, str]:
    client, _, config = await with_repository(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    new = await tokens.add_token(OPERATOR, info.id, "laptop")
    (await borgmatic(client, config, "repo-create", "--encryption", "repokey-blake2")).must()
    return client, config, new.token


@pytest.mark.long
async def test_borgmatic_reports_good_and_bad_runs_and_each_is_held_against_the_gate(
    house: House, tmp_path: Path
) -> None:
    client, config, token = await with_token(house, tmp_path)
    async with pages() as url:
        report_to(config, f"{url}/ping/{token}/")
        (await borgmatic(client, config, "--monitoring-verbosity", "2", "create")).must()
        good = await judged(house)
        assert (good.state, good.verdict) == (RunState.SUCCEEDED, RunVerdict.AGREES)
        assert good.started_at is not None
        assert good.notes.claim == Claim.ARCHIVE
        assert "Creating archive" in good.log
        assert "/ping/***" in good.log
        assert token not in good.log

        (await borgmatic(client, config, "check")).must()
        check = await judged(house)
        assert (check.state, check.verdict) == (RunState.SUCCEEDED, RunVerdict.UNKNOWN)
        assert await told() == []

        report_to(config, f"{url}/ping/{token}", encryption_passphrase="wrong")
        assert (await borgmatic(client, config, "create")).status != 0
        bad = await judged(house)
        assert (bad.state, bad.verdict) == (RunState.FAILED, RunVerdict.AGREES)
        assert await told() == [EventKind.CLIENT_FAILED]
        assert "Passphrase supplied" in (await events.recent(OPERATOR, limit=1))[0].message

        (tmp_path / "usb").mkdir()
        elsewhere = {"path": str(tmp_path / "usb" / "laptop"), "label": "usb"}
        report_to(config, f"{url}/ping/{token}", repositories=[elsewhere])
        (await borgmatic(client, config, "repo-create", "--encryption", "none")).must()
        (await borgmatic(client, config, "create")).must()
        other = await judged(house)
        assert (other.state, other.verdict) == (RunState.SUCCEEDED, RunVerdict.UNKNOWN)
        assert len(await reports.list_runs(OPERATOR)) == 4
        assert await told() == [EventKind.CLIENT_FAILED]
