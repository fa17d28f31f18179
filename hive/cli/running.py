"""Running a command's body: with the database open, and the running server told of changes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec

import click

from hive import control, log, memory, signals
from hive.background import spawn
from hive.cli import output
from hive.cli.later import end_imports
from hive.cli.options import Options
from hive.errors import Unavailable
from hive.services import runtime
from hive.services.alarms import server_alarms
from hive.services.permissions import OPERATOR, Actor
from hive.services.storage import places

P = ParamSpec("P")

_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,149}")  # also one of a directory


class Forwarder:
    """Tells the running server what happens here, while the command goes on."""

    def __init__(self) -> None:
        self._tasks: dict[control.Forwarded, asyncio.Task[bool]] = {}

    def tell(self, happening: signals.Happening) -> None:
        if isinstance(happening, control.Forwarded) and happening not in self._tasks:
            path = runtime.paths().control_socket
            self._tasks[happening] = spawn(control.forward(path, happening), name="forward")

    async def delivered(self) -> bool:
        """Whether a server heard of everything so far; Unavailable where it does not answer."""
        return all([await task for task in self._tasks.values()])

    async def finish(self) -> None:
        """Wait until the server knows all. The change is done, so a problem is only a warning."""
        try:
            await self.delivered()
        except Unavailable as error:
            output.say(
                f"Warning: {error.message} The change takes effect at the next login;"
                " running sessions may continue."
            )


def _behind() -> str | None:
    """Who became root, or the user of the service, to run this command; as sudo says."""
    name = os.environ.get("SUDO_USER", "")
    return name if name != "root" and _ACCOUNT.fullmatch(name) else None


async def server_was_told() -> bool:
    """Whether a running server heard of what this command has done so far."""
    return await memory.of(Forwarder).delivered()


@contextlib.asynccontextmanager
async def opened(options: Options) -> AsyncIterator[Actor]:
    """The services, started; gives the actor that commands are."""
    settings = options.settings()
    log.configure("debug" if settings.server.log_level == "debug" else "warning")
    await runtime.start(settings)
    try:
        forwarder = memory.of(Forwarder)
        await places.recall()
        await server_alarms.recall()
        unsubscribe = signals.subscribe(forwarder.tell)
        try:
            yield replace(OPERATOR, behind=_behind())
        finally:
            unsubscribe()
            await forwarder.finish()
    finally:
        await runtime.stop()


def with_hive(
    body: Callable[Concatenate[Actor, P], Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Make a command's body, which takes the actor first, a function for click."""

    @functools.wraps(body)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        end_imports()
        options = click.get_current_context().find_object(Options)
        assert options is not None  # noqa: S101 - the group above every command sets it

        async def run() -> None:
            async with opened(options) as actor:
                await body(actor, *args, **kwargs)

        asyncio.run(run())

    return command
