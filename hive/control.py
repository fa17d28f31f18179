"""The control socket: commands tell the running server at once what they changed.

One line of JSON each way on a Unix socket that only the server's own user and root may use.
The change itself is in the database already; what passes here is that it happened. This is the
commands' end, which imports little; the server's is hive/control_server.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hive.errors import Conflict, StorageError, Unavailable
from hive.sentences import N_
from hive.signals import (
    AddressesChanged,
    DeliveriesWaiting,
    EndSession,
    GiveWay,
    MoveWanted,
    QuotasChanged,
    RightsChanged,
    SessionProgress,
    StorageChanged,
    TriesForgiven,
    TriggerAsked,
    UpkeepWanted,
)

Forwarded = (
    RightsChanged
    | EndSession
    | QuotasChanged
    | AddressesChanged
    | UpkeepWanted
    | MoveWanted
    | GiveWay
    | StorageChanged
    | DeliveriesWaiting
    | TriggerAsked
    | TriesForgiven
)
NAMES: dict[str, type[Forwarded]] = {
    "rights-changed": RightsChanged,
    "end-session": EndSession,
    "quotas-changed": QuotasChanged,
    "addresses-changed": AddressesChanged,
    "upkeep-wanted": UpkeepWanted,
    "move-wanted": MoveWanted,
    "give-way": GiveWay,
    "storage-changed": StorageChanged,
    "deliveries-waiting": DeliveriesWaiting,
    "trigger-asked": TriggerAsked,
    "tries-forgiven": TriesForgiven,
}
_LONGEST_TEXT = 300  # characters; escaped it still fits the line

MAX_LINE = 4096  # bytes
MAX_ANSWER = 1024 * 1024
SECONDS = 5.0


async def forward(path: Path, happening: Forwarded) -> bool:
    """Tell the running server; False where none runs, Unavailable where it does not answer."""
    answer = await _ask_if_running(path, _encode(happening))
    if answer is not None and answer.get("ok") is not True:
        raise Unavailable("The running server refused: %(value)s.", value=answer.get("error"))
    return answer is not None


async def progress(path: Path) -> dict[int, SessionProgress]:
    """How far the sessions of the running server are, by session id; none where none runs."""
    try:
        answer = await asyncio.wait_for(_ask(path, to_line({"ask": "progress"})), SECONDS)
        rows = [SessionProgress(*row) for row in answer["progress"]]
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return {}  # what the database knows is shown all the same
    return {row.session_id: row for row in rows}


async def works(path: Path) -> list[dict[str, Any]] | None:
    """How far long work of the running server is, as `hive.long_work.of_json` reads it.

    None where no server runs, or where it does not answer.
    """
    try:
        answer = await asyncio.wait_for(_ask(path, to_line({"ask": "works"})), SECONDS)
        rows = answer["works"]
    except (OSError, TimeoutError, ValueError, KeyError):
        return None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


async def run_job(path: Path, name: str) -> bool:
    """Have the running server begin a job; False where none runs, Conflict where it cannot."""
    answer = await _ask_if_running(path, to_line({"ask": "job", "name": name}))
    if answer is not None and answer.get("ok") is not True:
        raise Conflict(str(answer.get("error")))
    return answer is not None


async def _ask_if_running(path: Path, line: bytes) -> dict[str, Any] | None:
    """The answer; None where no server runs, Unavailable where one does not answer."""
    try:
        return await asyncio.wait_for(_ask(path, line), SECONDS)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error) or "it took too long"
        raise Unavailable(
            "The running server does not answer: %(reason)s.", reason=reason
        ) from error


async def _ask(path: Path, line: bytes) -> dict[str, Any]:
    with _reachable(path) as short:
        reader, writer = await asyncio.open_unix_connection(short, limit=MAX_ANSWER)
    try:
        writer.write(line)
        await writer.drain()
        return from_line(await reader.readline())
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _encode(happening: Forwarded) -> bytes:
    name = next(name for name, kind in NAMES.items() if type(happening) is kind)
    values = {
        key: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in asdict(happening).items()
    }
    return to_line({"tell": name, **values})


def to_line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ValueError("the line was cut off")
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("the line is no JSON object")
    return message


def short_path(directory: int, name: str) -> str:
    """A path that fits a socket address (107 bytes), however long the real one is."""
    return f"/proc/self/fd/{directory}/{name}"


@contextlib.contextmanager
def no_server(path: Path) -> Iterator[None]:
    """Keep servers from starting on this data directory; Unavailable where one runs."""
    directory = lock(path, N_("A server, or another command, is at work on %(parent)s. Try again."))
    try:
        yield
    finally:
        os.close(directory)  # and with it the lock


def lock(path: Path, taken: str) -> int:
    """Open the directory of the socket for as long as nobody else may serve the data directory.

    Unavailable, in the words of `taken`, where somebody else has it.
    """
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(
            "%(parent)s cannot be opened: %(strerror)s.",
            parent=path.parent,
            strerror=error.strerror,
        ) from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(directory)
        if isinstance(error, BlockingIOError):
            raise Unavailable(taken, parent=path.parent.parent) from None
        raise StorageError(
            "%(parent)s cannot be locked: %(strerror)s.",
            parent=path.parent,
            strerror=error.strerror,
        ) from error
    return directory


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield short_path(directory, path.name)
    finally:
        os.close(directory)
