"""The commands below hive audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.services import audit as log
from hive.services.audit import AuditFilter, AuditInfo
from hive.services.permissions import Actor


@click.group()
def audit() -> None:
    """The audit log: who changed what, when and from where."""


@audit.command("list")
@click.option("--since", type=values.PAST, metavar="WHEN", help="From then on: 7d, 2026-11-01, ...")
@click.option("--until", type=values.PAST, metavar="WHEN", help="Before then.")
@click.option("--subject", metavar="TEXT", help="What was changed: part of a name.")
@click.option("--actor", "who", metavar="NAME", help="Who changed it, also as root by sudo.")
@click.option("--action", metavar="ACTION", help="What was done: user.set, repository.delete, ...")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.list_options
def list_(**given: Any) -> None:  # noqa: ANN401 - click's own values
    """List changes, the newest first."""
    _list(**given)


@with_hive
async def _list(
    actor: Actor,
    /,
    *,
    since: datetime | None,
    until: datetime | None,
    subject: str | None,
    who: str | None,
    action: str | None,
    limit: int,
) -> None:
    wanted = AuditFilter(actor=who, action=action, subject=subject, since=since, until=until)
    infos = await log.recent(actor, wanted, limit=limit)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "AT": lambda info: info.at,
            "ACTOR": lambda info: info.who,
            "ACTION": lambda info: info.action,
            "SUBJECT": lambda info: info.subject,
            "DETAILS": lambda info: "; ".join(map(str, info.parts)),
        },
        infos,
        details=("ID", "DETAILS"),
    )


def _document(info: AuditInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "at": output.time(info.at),
        "actor": info.actor,
        "behind": info.behind,
        "source": info.source,
        "address": info.address,
        "action": info.action,
        "subject": info.subject,
        "details": info.details,
    }
