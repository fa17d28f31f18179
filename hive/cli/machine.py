"""The commands below hive machine."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, values
from hive.cli.repo.documents import document, first_steps
from hive.cli.repo.health import health_document
from hive.cli.repo.schedule import change_of, schedule_options
from hive.cli.running import with_hive
from hive.kinds import Access, ShareLevel
from hive.services.health import infos as health_info
from hive.services.permissions import Actor
from hive.services.repositories import machine_import, machine_lists, machines
from hive.services.repositories.machine_lists import ListRefused
from hive.services.repositories.machines import AddMachine


@click.group()
def machine() -> None:
    """Machines that back up: a key and its repository."""


@machine.command("import")
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Show what would be added, and add nothing.")
@output.list_options
@with_hive
async def import_(actor: Actor, *, file: str, dry_run: bool) -> None:
    """Add the machines of a CSV list (- for standard input): all of them, or none.

    The first line names the columns: name, owner, key, access, schedule, timezone, grace, quota,
    tags, groups, location. Machines that are there already stay as they are.
    """
    text = values.read_text(file, most=machine_lists.MAX_TEXT)
    try:
        found = await machine_import.import_machines(actor, text, is_rehearsal=dry_run)
    except ListRefused as refused:
        for one in refused.problems:
            where = f"line {one.line}" + (f", {one.column}" if one.column else "")
            output.say(f"{where}: {one.message}")
        raise
    output.show_list(
        [
            {
                "line": one.line,
                "name": one.name,
                "owner": one.owner,
                "is_new": one.is_new,
                "id": one.repository_id,
                "fingerprint": one.fingerprint,
            }
            for one in found
        ],
        {
            "NAME": lambda one: one.name,
            "OWNER": lambda one: one.owner,
            "STATE": lambda one: "new" if one.is_new else "there already",
            "KEY": lambda one: one.fingerprint,
        },
        found,
        details=("KEY",),
    )
    new = sum(one.is_new for one in found)
    added = "would be added" if dry_run else ("was added" if new == 1 else "were added")
    former = len(found) - new
    is_there = "is" if former == 1 else "are"
    output.say(f"{output.counted(new, 'machine')} {added}, {former} {is_there} there already.")


@machine.command("add")
@click.argument("name")
@click.option("--owner", required=True, metavar="USER")
@click.option("--key", "file", metavar="FILE", help="Its public key (- for standard input).")
@click.option("--stored-key", "stored", metavar="KEY", help="A key that is stored already.")
@click.option(
    "--access",
    type=click.Choice([Access.APPEND_ONLY.value, Access.FULL.value]),
    default=Access.APPEND_ONLY.value,
    show_default=True,
    help="What the key may do.",
)
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
    file: str | None,
    stored: str | None,
    access: str,
    location: str | None,
    quota: int | None,
    groups: tuple[str, ...],
    tags: tuple[str, ...],
    **given: Any,  # noqa: ANN401 - what is said of the schedule
) -> None:
    """Add a machine: store its public key and create the repository that the key opens.

    A backup is expected every day unless an option says otherwise. All of it is done, or
    nothing.
    """
    wanted = AddMachine(
        name=name,
        owner=owner,
        public_key=None if file is None else values.read_text(file),
        key=stored,
        access=Access(access),
        location=location,
        quota_bytes=quota,
        share_levels=dict.fromkeys(groups, ShareLevel.MANAGE),
        schedule=change_of(given),
        tags=tags,
    )
    added = (await machines.add_machine(actor, wanted)).repository
    health = await health_info.health_info(actor, added.id)
    output.show_done(document(added) | health_document(health), first_steps(added, health))
