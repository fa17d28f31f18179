"""The commands below hive report."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.services.permissions import Actor
from hive.services.reports import reports
from hive.services.reports.reports import RunInfo
from hive.services.repositories import catalogue


@click.group()
def report() -> None:
    """Reports that clients sent about their own backups."""


def _document(info: RunInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "repository": info.repository,
        "token": info.token,
        "state": info.state,
        "verdict": info.verdict,
        "judged": info.is_judged,
        "started_at": output.time(info.started_at),
        "ended_at": output.time(info.ended_at),
        "exit_status": info.exit_status,
        "peer": info.peer,
        "user_agent": info.user_agent,
        "sessions": list(info.notes.session_ids),
    }


@report.command("list")
@click.option("--repo", metavar="R", help="Show only this repository.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.list_options
@with_hive
async def list_(actor: Actor, repo: str | None, limit: int) -> None:
    """List reported runs, the newest first."""
    found = await catalogue.find_repository(actor, repo) if repo else None
    infos = await reports.list_runs(actor, repository_id=found.id if found else None, limit=limit)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "REPOSITORY": lambda info: info.repository,
            "TOKEN": lambda info: info.token,
            "STATE": lambda info: info.state,
            "VERDICT": lambda info: info.verdict if info.is_judged else None,
            "STARTED": lambda info: info.started_at,
            "ENDED": lambda info: info.ended_at,
            "FROM": lambda info: info.peer,
        },
        infos,
        details=("STARTED", "TOKEN", "FROM"),
    )


@report.command("show")
@click.argument("number", metavar="ID", type=values.ID)
@output.json_option
@with_hive
async def show(actor: Actor, number: int) -> None:
    """Show one run with its log."""
    info = await reports.get_run(actor, number)
    document = {**_document(info), "log": info.log}
    output.show_one(document, {**document, "log": info.log.splitlines()})
