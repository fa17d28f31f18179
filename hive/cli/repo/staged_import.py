"""hive repo discard-import and hive repo clear-config-limits: what imports leave behind."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.formats import format_size
from hive.services.lifecycle import config_limits, staged_imports
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


@click.command("discard-import")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def discard_import(actor: Actor, reference: str) -> None:
    """Delete a staged import. The repository does not change."""
    info = await catalogue.find_repository(actor, reference)
    size = await staged_imports.discard(actor, info.id)
    output.show_done(
        {"repository": info.name, "login": info.login, "discarded_bytes": size},
        f"The staged import of {info.name}, {format_size(size)}, was deleted.",
    )


@click.command("clear-config-limits")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def clear_config_limits(actor: Actor, reference: str) -> None:
    """Remove append_only, storage_quota and additional_free_space from the config file."""
    info = await catalogue.find_repository(actor, reference)
    former = (await config_limits.clear(actor, info.id)).in_words
    said = f"Removed from the config of {info.name}: {', '.join(former)}. The old version is saved."
    output.show_done(
        {"repository": info.name, "login": info.login, "cleared": former},
        said if former else f"The config of {info.name} has no limits.",
    )
