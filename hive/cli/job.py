"""The commands below hive job."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from hive import control
from hive.cli import output
from hive.cli.running import with_hive
from hive.errors import Unavailable
from hive.formats import format_duration
from hive.services import runtime
from hive.services.permissions import Actor
from hive.services.server import scheduler
from hive.services.server.scheduler import JobInfo

_POLL_SECONDS = 0.2
_BEGIN_SECONDS = 30.0


@click.group()
def job() -> None:
    """Background jobs of the server."""


@job.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List the background jobs, their next run and their last result."""
    infos = await scheduler.list_jobs(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "NAME": lambda info: info.name,
            "EVERY": lambda info: format_duration(info.interval),
            "NEXT": lambda info: info.next_at,
            "LAST": lambda info: info.started_at,
            "TOOK": _took,
            "ERROR": lambda info: info.error,
        },
        infos,
        details=("TOOK", "ERROR"),
    )


@job.command("run")
@click.argument("name")
@output.json_option
@with_hive
async def run(actor: Actor, name: str) -> None:
    """Run a job now and wait for it; the running server does it, if there is one."""
    before = await scheduler.get_job(actor, name)
    path = runtime.paths().control_socket
    if await control.run_job(path, before.name):
        done = await _wait(actor, before)
    else:
        with control.no_server(path):
            done = await scheduler.run_here(actor, before.name)
    if done.error is not None:
        raise Unavailable(f"The job {done.name!r} failed: {done.error}")
    output.show_done(_document(done), f"The job {done.name!r} finished in {_took(done)}.")


async def _wait(actor: Actor, before: JobInfo) -> JobInfo:
    path = runtime.paths().control_socket
    begun_by = asyncio.get_running_loop().time() + _BEGIN_SECONDS
    while True:
        now = await scheduler.get_job(actor, before.name)
        if now.started_at != before.started_at and not now.is_running:
            return now
        late = asyncio.get_running_loop().time() > begun_by
        if late and now.started_at == before.started_at:
            raise Unavailable(f"The server did not start {now.name!r}; see its log.")
        if not path.exists():
            raise Unavailable("The server ended meanwhile.")
        await asyncio.sleep(_POLL_SECONDS)


def _took(info: JobInfo) -> str | None:
    if info.is_running:
        return "running"
    return None if info.took is None else f"{info.took.total_seconds():.1f}s"


def _document(info: JobInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "interval_seconds": int(info.interval.total_seconds()),
        "next_at": output.time(info.next_at),
        "started_at": output.time(info.started_at),
        "ended_at": output.time(info.ended_at),
        "succeeded_at": output.time(info.succeeded_at),
        "running": info.is_running,
        "error": info.error,
    }
