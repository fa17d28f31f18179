"""An errand: a program that the server starts for itself, without a client at its pipes."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Protocol

from hive.background import spawn
from hive.excerpt import Excerpt
from hive.process.child import Child
from hive.process.spec import ChildSpec, Confinement

_HEAD = 8 * 1024  # bytes of the output that are kept, from its start and from its end
_TAIL = 24 * 1024
_CHUNK = 64 * 1024
_LONGEST = 30 * 86400.0  # seconds; whatever else was said


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How an errand ended. `status` is negative where a signal ended it."""

    status: int
    output: str  # standard output and error as they came, the middle cut out of much
    seconds: float
    was_stopped: bool = False
    is_overdue: bool = False


class ErrorReader(Protocol):
    """Takes what a program writes to standard error, and gives what of it is text."""

    def feed(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


async def run(
    spec: ChildSpec,
    confinement: Confinement,
    *,
    seconds: float,
    stop: asyncio.Event,
    grace: float = 5.0,
    reader: ErrorReader | None = None,
) -> Finished:
    """Run the program to its end; end it after `seconds`, or as soon as `stop` is set.

    `reader` reads standard error, and gives what is kept of it.
    Raises Unavailable where it cannot be started.
    """
    begun = time.monotonic()
    child = Child.start(spec, confinement)
    output = _Output(child.stderr_fd, reader)
    try:
        child.close_stdin()
        waiting = spawn(child.wait(), name="errand")
        stopping = spawn(stop.wait(), name="errand's stop")
        for descriptor in (child.stdout_fd, child.stderr_fd):
            output.read_from(descriptor)
        await asyncio.wait(
            {waiting, stopping},
            timeout=max(0.0, min(seconds, _LONGEST)),
            return_when=asyncio.FIRST_COMPLETED,
        )
        was_ended = not waiting.done()
        stopping.cancel()
        if was_ended:
            await child.end(grace)
        status = await waiting
        output.drain(child.stdout_fd, child.stderr_fd)
    finally:
        await child.end(0)
        child.close()
    return Finished(
        status=status,
        output=output.text,
        seconds=time.monotonic() - begun,
        was_stopped=was_ended and stop.is_set(),
        is_overdue=was_ended and not stop.is_set(),
    )


class _Output:
    """Reads what a program prints."""

    def __init__(self, errors: int, reader: ErrorReader | None) -> None:
        self._excerpt = Excerpt(_HEAD, _TAIL)
        self._errors = errors
        self._reader = reader

    def read_from(self, descriptor: int) -> None:
        asyncio.get_running_loop().add_reader(descriptor, self._read, descriptor)

    def _read(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(descriptor)
        self._excerpt.add(self._text(data) if descriptor == self._errors else data)
        return bool(data)

    def _text(self, data: bytes) -> bytes:
        if self._reader is None:
            return data
        return self._reader.feed(data) if data else self._reader.end()

    def drain(self, *descriptors: int) -> None:
        """Take what is left once the program has ended."""
        for descriptor in descriptors:
            while self._read(descriptor):
                pass

    @property
    def text(self) -> str:
        return self._excerpt.text
