"""hive repo rollback."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from hive import long_work
from hive.background import spawn
from hive.borg.replay import Amount
from hive.borg.rollback import ReadingProgress
from hive.cli import confirming, output, progress
from hive.cli.running import with_hive
from hive.long_work import WorkKind
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.rollback import preview
from hive.services.rollback import undo as rollback_return
from hive.services.rollback import work as rollback_work
from hive.services.rollback.preview import RollbackOutlook, Step

T = TypeVar("T")


@click.command("rollback")
@click.argument("reference", metavar="R")
@click.option(
    "--to",
    metavar="SESSION|TRANSACTION",
    help="Restore the state after this session or transaction.",
)
@click.option("--dry-run", is_flag=True, help="Check everything without changing anything.")
@click.option("--undo", is_flag=True, help="Undo the last rollback, from the trash.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output.list_options
@with_hive
async def roll_back(
    actor: Actor, /, *, reference: str, to: str | None, dry_run: bool, undo: bool, yes: bool
) -> None:
    """Restore what was deleted since the last compaction.

    What was overwritten is restored as well. Without --to, list the sessions since the last
    compaction, what each of them deleted, and what a rollback to it restores.
    """
    info = await catalogue.find_repository(actor, reference)
    if undo:
        _confirm(info, "undo the last rollback", yes)
        newest = await rollback_return.last_rollback(actor, info.id)
        name = await rollback_return.take_back(actor, newest)
        output.show_done({"id": info.id, "name": name}, f"The rollback of {name} was undone.")
        return
    reading = ReadingProgress()
    found = await _shown(info.id, preview.look(actor, info.id, reading), reading)
    if to is None:
        _list(found)
        return
    step = preview.find(found, to)
    preview.require_possible(step, info.name)
    if dry_run:
        reading = ReadingProgress()
        checked = rollback_work.check(actor, info.id, step.transaction, reading)
        _, step = await _shown(info.id, checked, reading)
        output.show_done(document(step), f"{_what(step)} Everything is there; nothing was changed.")
        return
    if not yes:
        output.say(_what(step))
    _confirm(info, f"return to transaction {step.transaction}", yes)
    current = found.current
    reading = ReadingProgress()
    work = rollback_work.roll_back(
        actor,
        info.id,
        step.transaction,
        expected=step.transaction if current is None else current.transaction,
        reading=reading,
    )
    done = await _shown(info.id, work, reading)
    output.show_done(
        document(done.step)
        | {"trash": str(done.trash), "restorable_until": output.time(done.until)}
        | {"client_commands": list(done.commands)},
        _done(done),
    )


async def _shown(repository_id: int, work: Coroutine[Any, Any, T], reading: ReadingProgress) -> T:
    """Await the work, and show how much of the log is read."""
    task = spawn(work, name="rollback")
    try:
        async with long_work.under_way(repository_id, WorkKind.ROLLBACK, reading.look):
            return await progress.shown(task, repository_id, WorkKind.ROLLBACK)
    except asyncio.CancelledError:
        reading.cancel()
        raise


def _confirm(info: RepositoryInfo, what: str, yes: bool) -> None:
    if not yes:
        confirming.by_name(
            info.name,
            f"Type the name of the repository to {what}: {info.owner}/{info.name}",
            without_terminal="Without a terminal, a rollback needs --yes.",
        )


def _list(found: RollbackOutlook) -> None:
    steps = found.since_compaction
    output.show_list(
        [document(step) for step in steps],
        {
            "SESSION": lambda step: "-" if step.session is None else step.session.session_id,
            "TRANSACTION": lambda step: step.transaction,
            "AT": lambda step: step.at,
            "KEY": lambda step: "-" if step.session is None else step.session.key,
            "WHAT": lambda step: "-" if step.session is None else step.session.operation,
            "DELETED": lambda step: _amount(step.deleted),
            "OVERWRITTEN": lambda step: _amount(step.overwritten),
            "RESTORES": lambda step: _amount(step.back),
            "UNDOES": lambda step: _amount(step.dropped),
            "POSSIBLE": lambda step: "now" if step.is_current else step.obstacle or "yes",
        },
        steps,
        details=("WHAT", "UNDOES", "POSSIBLE", "OVERWRITTEN", "KEY"),
    )


def _amount(amount: Amount) -> str:
    if not amount.objects:
        return "-"
    return f"{amount.objects} ({output.size(amount.size_bytes)})"


def _what(step: Step) -> str:
    """What going back would do."""
    said = (
        f"Returning to transaction {step.transaction} ({output.time(step.at)}) restores"
        f" {step.back.objects} objects ({output.size(step.back.size_bytes)}) and undoes what was"
        f" written since: {step.dropped.objects} objects ({output.size(step.dropped.size_bytes)})."
    )
    if step.config_version is not None:
        said += (
            " The config, which holds the key of repokey encryption, has changed since and stays"
            f" as it is: version {step.config_version} is of that time (hive repo restore-config)."
        )
    return said


def _done(done: rollback_work.RolledBack) -> str:
    commands = "\n".join(f"  {command}" for command in done.commands)
    return (
        f"{done.name} is back at transaction {done.step.transaction}. What was written"
        f" since is in the trash until {output.time(done.until)};"
        f" `hive repo rollback {done.name} --undo` brings it back while nothing new is written.\n\n"
        "Clients that have seen the newer state refuse this one. On each of these clients, run:\n\n"
        f"{commands}\n\nNew clients do not need this. The next borg command reads the whole log"
        " once."
    )


def document(step: Step) -> dict[str, Any]:
    session = step.session
    return {
        "transaction": step.transaction,
        "at": output.time(step.at),
        "session": None if session is None else session.session_id,
        "ends_session": step.ends_session,
        "key": None if session is None else session.key,
        "access": None if session is None else session.access,
        "operation": None if session is None else session.operation,
        "added": _numbers(step.added),
        "deleted": _numbers(step.deleted),
        "overwritten": _numbers(step.overwritten),
        "restores": _numbers(step.back),
        "undoes": _numbers(step.dropped),
        "is_current": step.is_current,
        "possible": step.can_be_restored,
        "obstacle": None if step.obstacle is None else str(step.obstacle),
        "detail": step.detail,
        "config_version": step.config_version,
    }


def _numbers(amount: Amount) -> dict[str, int]:
    return {"objects": amount.objects, "size_bytes": amount.size_bytes}
