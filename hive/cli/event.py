"""The commands below hive event."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.kinds import EventKind
from hive.services import events
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


@click.group()
def event() -> None:
    """Events: what happened to repositories."""


@event.command("list")
@click.option("--repo", metavar="R", help="Show only this repository.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in EventKind]),
    metavar="KIND",
    multiple=True,
    help="Show only events of this kind: late, down, 'session failed', ...",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.list_options
@with_hive
async def list_(actor: Actor, repo: str | None, kinds: tuple[str, ...], limit: int) -> None:
    """List events, the newest first."""
    found = await catalogue.find_repository(actor, repo) if repo else None
    infos = await events.recent(
        actor,
        repository_id=found.id if found else None,
        kinds=[EventKind(kind) for kind in kinds] or None,
        limit=limit,
    )
    output.show_list(
        [
            {
                "id": info.id,
                "at": output.time(info.at),
                "repository": info.repository,
                "kind": info.kind,
                "message": info.message,
                "session": info.session_id,
            }
            for info in infos
        ],
        {
            "ID": lambda info: info.id,
            "AT": lambda info: info.at,
            "REPOSITORY": lambda info: info.repository,
            "KIND": lambda info: info.kind,
            "MESSAGE": lambda info: info.message,
        },
        infos,
        details=("ID",),
    )
