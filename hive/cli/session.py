"""The commands below hive session."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from hive import control
from hive.cli import output, running, values
from hive.cli.running import with_hive
from hive.errors import Unavailable
from hive.kinds import EndReason
from hive.services import runtime
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import infos as session_infos
from hive.services.sessions import record
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo
from hive.services.sessions.progress import with_progress

_KILL_SECONDS = 15.0  # beyond the grace of a program that is ended
_ASK_AGAIN = 0.2


@click.group()
def session() -> None:
    """Sessions: one for each SSH command that a client ran."""


def _document(info: SessionInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "repository": info.repository,
        "login": info.login,
        "key": info.key,
        "peer": info.peer,
        "client": info.client,
        "command": info.command,
        "mode": info.mode,
        "access": info.access,
        "operation": info.operation,
        "archive_created": info.archive_created,
        "started_at": output.time(info.started_at),
        "ended_at": output.time(info.ended_at),
        "bytes_in": info.bytes_in,
        "bytes_out": info.bytes_out,
        "bytes_added": info.bytes_added,
        "bytes_removed": info.bytes_removed,
        "exit_status": info.exit_status,
        "end_reason": info.end_reason,
        "error": info.error,
    }


@session.command("list")
@click.option("--repo", metavar="R", help="Show only this repository.")
@click.option("--live", is_flag=True, help="Show only running sessions.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in SessionState]),
    help="Show only sessions that run, ended well or ended badly.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.list_options
@with_hive
async def list_(
    actor: Actor, *, repo: str | None, live: bool, state: str | None, limit: int
) -> None:
    """List sessions, the newest first."""
    if live and state is not None:
        raise click.UsageError("Give either --live or --state.")
    wanted = SessionState.LIVE if live else SessionState(state) if state else None
    found = await catalogue.find_repository(actor, repo) if repo else None
    infos = await session_infos.list_sessions(
        actor,
        repository_id=found.id if found else None,
        state=wanted,
        limit=limit,
    )
    if wanted == SessionState.LIVE:
        infos = await _with_progress(infos)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "REPOSITORY": lambda info: info.repository,
            "KEY": lambda info: info.key,
            "PEER": lambda info: info.peer,
            "OPERATION": lambda info: info.operation,
            "ARCHIVE": lambda info: info.archive_created,
            "STARTED": lambda info: info.started_at,
            "ENDED": lambda info: info.ended_at,
            "IN": lambda info: output.size(info.bytes_in),
            "OUT": lambda info: output.size(info.bytes_out),
            "STATUS": lambda info: info.exit_status,
            "END": lambda info: info.end_reason,
        },
        infos,
        details=("KEY", "ENDED", "STATUS", "IN", "ARCHIVE", "OUT", "PEER"),
    )


async def _with_progress(infos: list[SessionInfo]) -> list[SessionInfo]:
    """The running sessions with what the server counts; the database has that at their end."""
    progress = await control.progress(runtime.paths().control_socket)
    return with_progress(infos, progress.values())


@session.command("show")
@click.argument("session_id", metavar="ID", type=values.ID)
@output.json_option
@with_hive
async def show(actor: Actor, session_id: int) -> None:
    """Show one session."""
    info = await session_infos.get_session(actor, session_id)
    objects = {"objects_added": info.objects_added, "objects_removed": info.objects_removed}
    document = _document(info) | objects
    output.show_one(document, document)


@session.command("kill")
@click.argument("session_id", metavar="ID", type=values.ID)
@output.json_option
@with_hive
async def kill(actor: Actor, session_id: int) -> None:
    """End a running session, or close one that is not running any more."""
    await record.kill(actor, session_id)
    if await running.server_was_told():
        info = await _wait_for_end(actor, session_id)
    else:
        with control.no_server(runtime.paths().control_socket):
            await record.close_lost([session_id])
        info = await session_infos.get_session(actor, session_id)
    output.show_done(_document(info), _end_in_words(info))


async def _wait_for_end(actor: Actor, session_id: int) -> SessionInfo:
    """Wait for the server to end it, for so long as that may take a program."""
    grace = runtime.settings().ssh.end_grace_seconds
    seconds = grace + _KILL_SECONDS
    deadline = asyncio.get_running_loop().time() + seconds
    while (info := await session_infos.get_session(actor, session_id)).ended_at is None:
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(
                f"The server was asked to end session {session_id}, and has not closed it within"
                f" {seconds:.0f} seconds: see its log."
            )
        await asyncio.sleep(_ASK_AGAIN)
    return info


def _end_in_words(info: SessionInfo) -> str:
    if info.end_reason == EndReason.INTERRUPTED:
        return f"Session {info.id} was not running any more and is now closed."
    return f"Session {info.id} was ended ({info.end_reason})."
