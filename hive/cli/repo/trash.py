"""hive repo delete and hive repo restore."""

from __future__ import annotations

import click

from hive.cli import confirming, output
from hive.cli.repo.documents import document
from hive.cli.repo.health import health_document
from hive.cli.running import with_hive
from hive.services.health import infos as health_info
from hive.services.lifecycle import trash
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


@click.command("delete")
@click.argument("reference", metavar="R")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str, yes: bool) -> None:
    """Move a repository to the trash and end its sessions."""
    info = await catalogue.find_repository(actor, reference)
    if not yes:
        confirming.by_name(
            info.name,
            f"Type the name of the repository to delete {info.owner}/{info.name}",
            without_terminal="Without a terminal, deleting needs --yes.",
        )
    deleted = await trash.delete_repository(actor, info.id)
    until = output.time(deleted.until)
    output.show_done(
        {
            "id": info.id,
            "name": deleted.name,
            "login": deleted.login,
            "path": None if deleted.path is None else str(deleted.path),
            "restorable_until": until,
        },
        f"Repository {deleted.name} is in the trash until {until}."
        f" `hive repo restore {deleted.login}` restores it.",
    )


@click.command("restore")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def restore(actor: Actor, reference: str) -> None:
    """Restore a repository from the trash. Its login and keys come back with it."""
    found = await catalogue.find_repository(actor, reference, deleted=True)
    await trash.restore_repository(actor, found.id)
    info = await catalogue.find_repository(actor, found.login)
    health = health_document(await health_info.health_info(actor, info.id))
    output.show_done(document(info) | health, f"Repository {info.name} was restored: {info.url}")
