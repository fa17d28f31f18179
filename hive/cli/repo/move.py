"""hive repo move."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from hive.background import spawn
from hive.cli import output, progress
from hive.cli.repo.upkeep import wait
from hive.cli.running import server_was_told, with_hive
from hive.errors import Conflict
from hive.formats import format_size
from hive.kinds import MoveState
from hive.long_work import WorkKind
from hive.services.lifecycle import moves
from hive.services.lifecycle.mover import Mover
from hive.services.lifecycle.moves import MoveInfo, MovePreview
from hive.services.permissions import Actor
from hive.services.repositories import catalogue

_ASK_AGAIN = 0.3  # seconds


@click.command("move")
@click.argument("reference", metavar="R")
@click.argument("location", metavar="LOCATION", required=False)
@click.option("--cancel", is_flag=True, help="Leave it where it is.")
@click.option("--dry-run", is_flag=True, help="Show what it would mean, and move nothing.")
@wait
@output.json_option
@with_hive
async def move(
    actor: Actor,
    *,
    reference: str,
    location: str | None,
    cancel: bool,
    dry_run: bool,
    wait: bool,
) -> None:
    """Move a repository to another location.

    It is copied while it is in use, verified, and switched when no session runs; sessions are
    refused only for the last difference. The former copy goes to the trash of its location.
    """
    info = await catalogue.find_repository(actor, reference)
    if cancel:
        if location is not None:
            raise click.UsageError("Give either LOCATION or --cancel.")
        asked = await moves.cancel(actor, info.id)
    elif location is None:
        raise click.UsageError("Name the location to move it to.")
    elif dry_run:
        _show(await moves.preview(actor, info.id, location))
        return
    else:
        asked = await moves.ask(actor, info.id, location)
    if not await server_was_told():
        ended = await _do_here(asked)
    else:
        ended = await _wait(asked) if wait else asked
    if ended.state == MoveState.FAILED:
        raise Conflict(f"{info.name} was not moved: {ended.message}")
    output.show_done(_document(ended), _words(info.name, ended))


def _words(name: str, ended: MoveInfo) -> str:
    match ended.state:
        case MoveState.DONE:
            return f"{name} is at {ended.target} now; the former copy is in the trash."
        case MoveState.CANCELLED:
            return f"{name} stays at {ended.former}."
        case _:
            return f"{name} is on its way to {ended.target}: {ended.state}."


async def _wait(asked: MoveInfo) -> MoveInfo:
    line = progress.ProgressLine()
    try:
        while (current := await moves.get(asked.id)).is_open:
            work = await progress.of_the_server(asked.repository_id, WorkKind.MOVE)
            line.show(current.message, work)
            await asyncio.sleep(_ASK_AGAIN)
    finally:
        line.end()
    return current


async def _do_here(asked: MoveInfo) -> MoveInfo:
    """No server runs, so no session can be in the way."""
    mover = Mover()
    while (current := await moves.get(asked.id)).is_open:
        turn = spawn(mover.work(), name="move")
        await progress.shown(turn, asked.repository_id, WorkKind.MOVE)
        current = await moves.get(asked.id)
        if current.is_open and current.message:
            raise Conflict(current.message)
    return current


def _show(found: MovePreview) -> None:
    document = {
        "former": found.former,
        "target": found.target,
        "size_bytes": found.size_bytes,
        "free_bytes": found.free_bytes,
        "is_copied": found.is_copied,
        "former_url": found.former_url,
        "url": found.url,
        "problem": found.problem,
    }
    size, free = found.size_bytes, found.free_bytes
    address = (
        f"{found.url}; clients that use {found.former_url} get in as long as that name leads"
        " to this server"
        if found.has_other_address
        else f"stays {found.url}"
    )
    fields: dict[str, Any] = {
        "from": found.former,
        "to": found.target,
        "size": "not measured yet" if size is None else format_size(size),
        "free": "unknown" if free is None else format_size(free),
        "copied": found.is_copied,
        "address": address,
        "problem": found.problem or "none",
    }
    output.show_one(document, fields)


def _document(info: MoveInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "repository": info.repository_id,
        "state": info.state,
        "former": info.former,
        "target": info.target,
        "asked_by": info.actor,
        "asked_at": output.time(info.asked_at),
        "ended_at": output.time(info.ended_at),
        "message": info.message,
    }
