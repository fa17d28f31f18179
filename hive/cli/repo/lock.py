"""hive repo break-lock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click

from hive import clock
from hive.cli import output
from hive.cli.repo.insight import lock_document
from hive.cli.running import with_hive
from hive.errors import Conflict
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.repositories import locks as stale_locks
from hive.services.repositories.infos import RepositoryInfo
from hive.services.repositories.locks import LockInfo


@click.command("break-lock")
@click.argument("reference", metavar="R")
@click.option(
    "--force", is_flag=True, help="Remove locks of other hosts and running processes as well."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@output.json_option
@with_hive
async def break_lock(actor: Actor, reference: str, force: bool, yes: bool) -> None:
    """Remove locks that dead processes of this server left.

    This is refused while a session runs.
    """
    info = await catalogue.find_repository(actor, reference)
    if force and not yes:
        _confirm(info, await asyncio.to_thread(stale_locks.look, info.path))
    broken = await stale_locks.break_lock(actor, info.id, force=force)
    left = await asyncio.to_thread(stale_locks.look, info.path)
    if left:
        raise Conflict(
            f"{_counted(broken)} removed, {_counted(left)} left: {_in_words(left)}."
            " If nothing uses the repository from there, --force removes them."
        )
    output.show_done(
        {"id": info.id, "name": info.name, "removed": [lock_document(lock) for lock in broken]},
        f"{_counted(broken)} removed." if broken else f"{info.name} is not locked.",
    )


def _confirm(info: RepositoryInfo, locks: list[LockInfo]) -> None:
    if not locks:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Without a terminal, --force needs --yes.")
    output.say(f"Locks on {info.owner}/{info.name}: {_in_words(locks)}.")
    question = "A lock whose holder is still running protects the repository. Remove all locks?"
    click.confirm(question, abort=True, err=True)


def _counted(locks: Sequence[LockInfo]) -> str:
    return output.counted(len(locks), "lock")


def _in_words(locks: list[LockInfo]) -> str:
    now = clock.now()
    return "; ".join(lock.in_words(now) for lock in locks)
