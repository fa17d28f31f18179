"""hive repo ...: making, showing, deleting and restoring; `change` has what changes one."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from hive.cli import output, values
from hive.cli.repo.change import configs, restore_config, set_
from hive.cli.repo.documents import (
    document,
    fields,
    first_steps,
    former_paths_document,
    former_paths_fields,
    insight_document,
    insight_fields,
    lock_mark,
    occupancy_document,
    occupancy_fields,
)
from hive.cli.repo.lock import break_lock
from hive.cli.repo.ping_token import ping_token
from hive.cli.repo.rollback import roll_back
from hive.cli.repo.schedule import (
    acknowledge,
    change_of,
    dismiss,
    health_document,
    health_fields,
    mute,
    pause,
    proposal_document,
    proposal_fields,
    resume,
    schedule_options,
    unmute,
)
from hive.cli.repo.staged_import import clear_config_limits, discard_import
from hive.cli.repo.upkeep import check, compact
from hive.cli.running import with_hive
from hive.errors import InvalidInput
from hive.kinds import Mode
from hive.services.health import infos as health_info
from hive.services.health import proposals
from hive.services.keys import grants
from hive.services.lifecycle import trash
from hive.services.measurements import insights
from hive.services.notifications import reach
from hive.services.overview import occupancy
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, creation, former_paths, locks
from hive.services.repositories.creation import CreateRepository


@click.group()
def repo() -> None:
    """Repositories."""


for _command in (
    *(set_, configs, restore_config, break_lock, check, compact, roll_back, ping_token),
    *(pause, resume, mute, unmute, acknowledge, dismiss),
    *(discard_import, clear_config_limits),
):
    repo.add_command(_command)


@repo.command("add")
@click.argument("name")
@click.option("--owner", required=True, metavar="USER")
@click.option("--key", "full", metavar="K", multiple=True, help="A key with full access.")
@click.option("--append-only-key", metavar="K", multiple=True)
@click.option("--read-only-key", metavar="K", multiple=True)
@click.option("--mode", type=values.MODE, default="borg", show_default=True)
@click.option("--location", metavar="L")
@click.option("--quota", type=values.LIMIT, metavar="SIZE", help="500GB, 2TiB, none, ...")
@click.option("--group", "groups", metavar="G", multiple=True, help="Share it.")
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
    """Add a repository. borg init, or an import, fills it.

    A backup is expected every day unless something else is said; of IMPORT and EXPORT, none.
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


@repo.command("list")
@click.option("--trash", "deleted", is_flag=True, help="Those in the trash instead.")
@output.json_option
@with_hive
async def list_(actor: Actor, deleted: bool) -> None:
    """List all repositories."""
    infos = await catalogue.list_repositories(actor, deleted=deleted)
    marks = {info.id: lock_mark(await asyncio.to_thread(locks.look, info.path)) for info in infos}
    healths = await health_info.health_infos(actor, [info.id for info in infos])
    output.show_list(
        [document(info) | health_document(healths[info.id]) for info in infos],
        {
            "ID": lambda info: info.id,
            "OWNER": lambda info: info.owner,
            "NAME": lambda info: info.name,
            "LOGIN": lambda info: info.login,
            "MODE": lambda info: info.mode,
            "STATE": lambda info: info.state,
            "HEALTH": lambda info: healths[info.id].state,
            "SCHEDULE": lambda info: healths[info.id].schedule.in_words,
            "NEXT EXPECTED": lambda info: healths[info.id].due_at,
            "SIZE": lambda info: output.size(info.size_bytes),
            "LOCK": lambda info: marks[info.id],
            "LAST BACKUP": lambda info: info.last_backup_at,
            "TAGS": lambda info: healths[info.id].tags,
            **({"DELETED": lambda info: info.deleted_at} if deleted else {}),
        },
        infos,
    )


@repo.command("show")
@click.argument("reference", metavar="R")
@click.option("--trash", "deleted", is_flag=True, help="One in the trash.")
@output.json_option
@with_hive
async def show(actor: Actor, reference: str, deleted: bool) -> None:
    """Show one repository."""
    info = await catalogue.find_repository(actor, reference, deleted=deleted)
    insight = await insights.insight_of(info)
    health = await health_info.health_info(actor, info.id)
    paths = [] if deleted else await former_paths.list_former_paths(actor, info.id)
    room = await occupancy.look(actor, info)
    proposal = await proposals.observed(info.id)
    found = await reach.reach(actor, info.id)
    output.show_one(
        document(info)
        | health_document(health)
        | proposal_document(proposal)
        | {"would_notify": None if found is None else reach_document(found)}
        | insight_document(insight)
        | former_paths_document(paths)
        | occupancy_document(room),
        fields(info)
        | health_fields(health)
        | proposal_fields(info.login, proposal)
        | ({} if found is None else {"would notify": found.words})
        | insight_fields(insight)
        | former_paths_fields(paths)
        | occupancy_fields(room),
    )


def reach_document(found: reach.Reach) -> dict[str, Any]:
    """Who would be notified if the repository went down."""
    return {
        "people": [{"name": one.name, "ways": list(one.ways)} for one in found.people],
        "others": found.others,
        "words": found.words,
    }


@repo.command("delete")
@click.argument("reference", metavar="R")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str, yes: bool) -> None:
    """Move a repository to the trash; running sessions end."""
    info = await catalogue.find_repository(actor, reference)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Without a terminal, deleting needs --yes.")
        question = f"Type the name of the repository to delete {info.owner}/{info.name}"
        if click.prompt(question, err=True) != info.name:
            raise InvalidInput("That is another name: nothing was deleted.")
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
        f" `hive repo restore {deleted.login}` brings it back.",
    )


@repo.command("restore")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def restore(actor: Actor, reference: str) -> None:
    """Bring a repository back from the trash, with its login and keys."""
    found = await catalogue.find_repository(actor, reference, deleted=True)
    await trash.restore_repository(actor, found.id)
    info = await catalogue.find_repository(actor, found.login)
    health = health_document(await health_info.health_info(actor, info.id))
    output.show_done(document(info) | health, f"Repository {info.name} is back: {info.url}")
