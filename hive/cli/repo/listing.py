"""hive repo list."""

from __future__ import annotations

import asyncio

import click

from hive.cli import output
from hive.cli.repo.documents import document, lock_mark
from hive.cli.repo.health import health_document
from hive.cli.running import with_hive
from hive.services.health import infos as health_info
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, locks


@click.command("list")
@click.option("--trash", "deleted", is_flag=True, help="List the trash instead.")
@output.json_option
@with_hive
async def list_(actor: Actor, deleted: bool) -> None:
    """List repositories."""
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
