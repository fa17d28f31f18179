"""hive repo add."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, values
from hive.cli.repo.documents import document, first_steps
from hive.cli.repo.health import health_document
from hive.cli.repo.schedule import change_of, schedule_options
from hive.cli.running import with_hive
from hive.kinds import Mode
from hive.services.health import infos as health_info
from hive.services.keys import grants
from hive.services.permissions import Actor
from hive.services.repositories import creation
from hive.services.repositories.creation import CreateRepository


@click.command("add")
@click.argument("name")
@click.option("--owner", required=True, metavar="USER")
@click.option("--key", "full", metavar="K", multiple=True, help="Grant this key full access.")
@click.option("--append-only-key", metavar="K", multiple=True)
@click.option("--read-only-key", metavar="K", multiple=True)
@click.option("--mode", type=values.MODE, default="borg", show_default=True)
@click.option("--location", metavar="L")
@click.option("--quota", type=values.LIMIT, metavar="SIZE", help="500GB, 2TiB, none, ...")
@click.option("--group", "groups", metavar="G", multiple=True, help="Share it with this group.")
@schedule_options
@output.json_option
@with_hive
async def add(
    actor: Actor,
    /,
    *,
    name: str,
    owner: str,
    full: tuple[str, ...],
    append_only_key: tuple[str, ...],
    read_only_key: tuple[str, ...],
    mode: str,
    location: str | None,
    quota: int | None,
    groups: tuple[str, ...],
    tags: tuple[str, ...],
    **given: Any,  # noqa: ANN401 - what is said of the schedule
) -> None:
    """Add a repository. `borg init` or an import fills it.

    A backup is expected every day unless an option says otherwise; in the modes IMPORT and
    EXPORT, none is.
    """
    wanted = CreateRepository(
        name=name,
        owner=owner,
        location=location,
        mode=Mode(mode.upper()),
        quota_bytes=quota,
        accesses=grants.accesses(full, append_only_key, read_only_key),
        groups=groups,
        schedule=change_of(given),
        tags=tags,
    )
    added = await creation.create(actor, wanted)
    health = await health_info.health_info(actor, added.id)
    output.show_done(document(added) | health_document(health), first_steps(added, health))
