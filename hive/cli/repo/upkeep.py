"""hive repo check and hive repo compact."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from hive.background import spawn
from hive.cli import output, progress
from hive.cli.running import server_was_told, with_hive
from hive.errors import Conflict, Unavailable
from hive.kinds import UpkeepKind, UpkeepState
from hive.long_work import WorkKind
from hive.services import runtime
from hive.services.permissions import Actor
from hive.services.programs import host
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.upkeep import queue
from hive.services.upkeep.queue import UpkeepInfo
from hive.services.upkeep.worker import UpkeepWorker

_ASK_AGAIN = 0.3  # seconds
_NOT_DONE = (UpkeepState.FAILED, UpkeepState.REFUSED, UpkeepState.STOPPED)
_TO_BEGIN = 90.0
_TO_END = 24 * 3600.0

wait = click.option(
    "--wait/--no-wait",
    default=True,
    help="Show how far it is until the server is done (the default), or do not wait.",
)


@click.command("check")
@click.argument("reference", metavar="R")
@wait
@output.json_option
@with_hive
async def check(actor: Actor, reference: str, wait: bool) -> None:
    """Check a repository without its passphrase.

    This reads its segments and index; sessions have priority.
    """
    info = await catalogue.find_repository(actor, reference)
    await _do(info, await queue.ask(actor, info.id, UpkeepKind.CHECK), wait)


@click.command("compact")
@click.argument("reference", metavar="R")
@click.option(
    "--confirm",
    is_flag=True,
    help="Permanently free data deleted by append-only keys.",
)
@wait
@output.json_option
@with_hive
async def compact(actor: Actor, reference: str, confirm: bool, wait: bool) -> None:
    """Free the space of data that no archive uses any more.

    Sessions have priority.
    """
    info = await catalogue.find_repository(actor, reference)
    asked = await queue.ask(actor, info.id, UpkeepKind.COMPACT, is_confirmed=confirm)
    await _do(info, asked, wait)


async def _do(info: RepositoryInfo, asked: UpkeepInfo, wait: bool) -> None:
    if await server_was_told():
        ended = await _wait(asked) if wait else asked
    else:
        ended = await _do_here(asked)
    if ended.problems or ended.state in _NOT_DONE:
        raise Conflict(ended.message)
    output.show_done(
        document(ended), ended.message or f"{info.name}: the {ended.kind} is {ended.state}."
    )


async def _wait(asked: UpkeepInfo) -> UpkeepInfo:
    """Wait for its end: it has so long to begin, and so long to go on once it has."""
    clock, line = asyncio.get_running_loop().time, progress.ProgressLine()
    kind = WorkKind(asked.kind)
    begin_until, end_until = clock() + _TO_BEGIN, clock() + _TO_END
    while (current := await queue.get(asked.id)).is_open:
        reason = await queue.waits_for(current)
        is_running = current.state == UpkeepState.RUNNING
        work = await progress.of_the_server(asked.repository_id, kind) if is_running else None
        line.show(reason, work)
        if is_running:
            begin_until = clock() + _TO_BEGIN
        if clock() > min(begin_until, end_until):
            line.end()
            raise Unavailable(
                f"{reason} This command waits no longer; the server does it as soon as it can, and"
                " `hive event list` says how it ended."
            )
        await asyncio.sleep(_ASK_AGAIN)
    line.end()
    return current


async def _do_here(asked: UpkeepInfo) -> UpkeepInfo:
    """No server runs, so no session can be in the way."""
    here, _ = await host.inspect_host(runtime.settings())
    worker = UpkeepWorker(here)
    while (current := await queue.get(asked.id)).is_open:
        turn = spawn(worker.work(), name="upkeep")
        if not await progress.shown(turn, asked.repository_id, WorkKind(asked.kind)):
            raise Conflict("The repository is busy, and no server runs that would do it later.")
    return current


def document(info: UpkeepInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "kind": info.kind,
        "state": info.state,
        "asked_by": info.asked_by,
        "created_at": output.time(info.created_at),
        "started_at": output.time(info.started_at),
        "ended_at": output.time(info.ended_at),
        "seconds": info.seconds,
        "interruptions": info.interruptions,
        "message": info.message,
        "problems": list(info.problems),
    }
