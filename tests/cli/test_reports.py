from __future__ import annotations

import asyncio
from typing import Any

from hive.config.settings import Settings
from hive.services import runtime
from hive.services.reports import reports, tokens
from hive.services.reports.reports import Report, ReportKind
from tests.cli.conftest import Run


def test_ping_tokens_are_made_listed_and_revoked(
    documents: dict[str, Any], run: Run, settings: Settings
) -> None:
    added = run("repo", "ping-token", "add", "documents", "laptop", "--json").json
    assert added["url"].endswith(f"/ping/{added['token']}")

    async def report() -> None:
        await runtime.start(settings)
        admitted = await tokens.admit(added["token"], "192.0.2.7")
        assert admitted is not None
        await reports.receive(
            admitted,
            Report(kind=ReportKind.FAIL, peer="192.0.2.7", text="no\nway\n", exit_status=2),
        )
        await runtime.stop()

    asyncio.run(report())
    listed = run("repo", "ping-token", "list", "documents")
    assert "laptop" in listed.output
    assert added["token"] not in listed.output
    (one,) = run("report", "list", "--repo", "documents", "--json").json
    assert (one["state"], one["exit_status"], one["token"]) == ("failed", 2, "laptop")
    assert "way" in run("report", "show", one["id"]).output
    assert run("repo", "ping-token", "delete", "documents", "laptop").status == 0
    assert run("repo", "ping-token", "list", "documents", "--json").json == []
    assert run("repo", "ping-token", "delete", "documents", "laptop").status == 1
