"""How far long work is: a line that a terminal draws again; elsewhere a line now and then."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from typing import TypeVar

import click

from hive import control, long_work, work_words
from hive.cli import output
from hive.long_work import WorkInfo, WorkKind
from hive.services import runtime

_REDRAW_EVERY = 0.5  # seconds, on a terminal
_SAY_EVERY = 30.0  # seconds, elsewhere
_BAR = 24  # characters

T = TypeVar("T")


class ProgressLine:
    """Shows how far something is, on standard error."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty() and not output.wants_json()
        self._reason = ""
        self._said_at = time.monotonic()
        self._is_drawn = False

    def show(self, reason: str, work: WorkInfo | None) -> None:
        """`reason`: what is waited for, in a sentence; said once, and not at all where empty."""
        if reason != self._reason:
            self.end()
            output.say(reason)
            self._reason, self._said_at = reason, time.monotonic()
        if work is None or not (words := work_words.in_words(work)):
            return
        if self._is_terminal:
            self._draw(work.percent, words)
        elif time.monotonic() - self._said_at >= _SAY_EVERY:
            output.say(words)
            self._said_at = time.monotonic()

    def _draw(self, percent: int | None, words: str) -> None:
        line = words if percent is None else f"{bar(percent)} {words}"
        room = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\x1b[K{line[:room]}", nl=False, err=True)
        self._is_drawn = True

    def end(self) -> None:
        """Take the line away; what follows begins at its place."""
        if self._is_drawn:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._is_drawn = False


def bar(percent: int) -> str:
    """[########----------------]."""
    filled = _BAR * percent // 100
    return f"[{'#' * filled}{'-' * (_BAR - filled)}]"


async def of_the_server(repository_id: int, kind: WorkKind) -> WorkInfo | None:
    """How far the running server is with this work; None where that is not known."""
    for row in await control.works(runtime.paths().control_socket) or ():
        try:
            work = long_work.of_json(row)
        except ValueError:
            continue
        if (work.repository_id, work.kind) == (repository_id, kind):
            return work
    return None


async def shown(task: asyncio.Task[T], repository_id: int, kind: WorkKind, reason: str = "") -> T:
    """Await work of this process, and show how far it is."""
    line = ProgressLine()
    try:
        while not (await asyncio.wait([task], timeout=_REDRAW_EVERY))[0]:
            line.show(reason, long_work.one(repository_id, kind))
    finally:
        line.end()
    return await task
