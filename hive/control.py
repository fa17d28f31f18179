"""The control socket: commands tell the running server at once what they changed.

One line of JSON each way on a Unix socket that only the server's own user and root may use.
The change itself is in the database already; what passes here is that it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import structlog

from hive.errors import Conflict, HiveError, InvalidInput, StorageError, Unavailable
from hive.process.confine import was_started_here
from hive.services.permissions import OPERATOR
from hive.services.server import scheduler
from hive.services.sessions import progress as live
from hive.signals import (
    AddressesChanged,
    DeliveriesWaiting,
    EndSession,
    GiveWay,
    QuotasChanged,
    RightsChanged,
    SessionProgress,
    StorageChanged,
    TriesForgiven,
    TriggerAsked,
    UpkeepWanted,
    tell,
)

logger = structlog.get_logger(__name__)

Forwarded = (
    RightsChanged
    | EndSession
    | QuotasChanged
    | AddressesChanged
    | UpkeepWanted
    | GiveWay
    | StorageChanged
    | DeliveriesWaiting
    | TriggerAsked
    | TriesForgiven
)
_TOLD: dict[str, type[Forwarded]] = {
    "rights-changed": RightsChanged,
    "end-session": EndSession,
    "quotas-changed": QuotasChanged,
    "addresses-changed": AddressesChanged,
    "upkeep-wanted": UpkeepWanted,
    "give-way": GiveWay,
    "storage-changed": StorageChanged,
    "deliveries-waiting": DeliveriesWaiting,
    "trigger-asked": TriggerAsked,
    "tries-forgiven": TriesForgiven,
}
_TYPES = {"int": int, "str": str}  # all that their fields are, by the names of annotations
_LONGEST_TEXT = 300  # characters; escaped it still fits the line

MAX_LINE = 4096  # bytes
MAX_ANSWER = 1024 * 1024
SECONDS = 5.0

SO_PEERPIDFD = 77  # Linux 6.5; Python has no name for it


class ControlServer:
    """The server's end; as long as it is open, no other server runs on this data directory."""

    def __init__(self, path: Path, directory: int) -> None:
        self._path = path
        self._directory = directory
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), 0o600)  # before anybody can find it
            # what lies there is of a server that is gone: we hold the lock
            self._path.unlink(missing_ok=True)
            listener.bind(_short(self._directory, self._path.name))
            self._server = await asyncio.start_unix_server(
                self._connected, sock=listener, limit=MAX_LINE
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, let answers under way end, take the socket away."""
        if self._server is not None:
            self._server.close()
            while self._answering:
                await asyncio.wait(self._answering)
            self._server = None
            self._path.unlink(missing_ok=True)
        if self._directory >= 0:
            os.close(self._directory)  # and with it the lock
            self._directory = -1

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_unix_server makes one for each connection
        self._answering.add(task)
        try:
            await asyncio.wait_for(_answer(reader, writer), SECONDS)
        except (OSError, TimeoutError) as error:
            logger.debug("control connection failed", error=str(error))
        finally:
            self._answering.discard(task)
            writer.close()


async def serve(path: Path) -> ControlServer:
    """Listen at `path`; Unavailable where another server does already."""
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(
            "%(parent)s cannot be opened: %(strerror)s.",
            parent=path.parent,
            strerror=error.strerror,
        ) from error
    server = ControlServer(path, directory)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await server.open()
    except BlockingIOError:
        await server.close()
        raise Unavailable(
            "Another server is running on the data directory %(parent)s.", parent=path.parent.parent
        ) from None
    except OSError as error:
        await server.close()
        raise StorageError(
            "The control socket %(path)s cannot be made: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error
    return server


async def forward(path: Path, happening: Forwarded) -> bool:
    """Tell the running server; False where none runs, Unavailable where it does not answer."""
    try:
        answer = await asyncio.wait_for(_ask(path, _encode(happening)), SECONDS)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error) or "it took too long"
        raise Unavailable(
            "The running server cannot be told: %(reason)s.", reason=reason
        ) from error
    if answer.get("ok") is not True:
        raise Unavailable("The running server refused: %(value)s.", value=answer.get("error"))
    return True


async def progress(path: Path) -> dict[int, SessionProgress]:
    """How far the sessions of the running server are, by session id; none where none runs."""
    try:
        answer = await asyncio.wait_for(_ask(path, _line({"ask": "progress"})), SECONDS)
        rows = [SessionProgress(*row) for row in answer["progress"]]
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return {}  # what the database knows is shown all the same
    return {row.session_id: row for row in rows}


async def run_job(path: Path, name: str) -> bool:
    """Have the running server begin a job; False where none runs, Conflict where it cannot."""
    try:
        answer = await asyncio.wait_for(_ask(path, _line({"ask": "job", "name": name})), SECONDS)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error) or "it took too long"
        raise Unavailable(
            "The running server cannot be asked: %(reason)s.", reason=reason
        ) from error
    if answer.get("ok") is not True:
        raise Conflict(str(answer.get("error")))
    return True


async def _ask(path: Path, line: bytes) -> dict[str, Any]:
    with _reachable(path) as short:
        reader, writer = await asyncio.open_unix_connection(short, limit=MAX_ANSWER)
    try:
        writer.write(line)
        await writer.drain()
        return _object(await reader.readline())
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answer: dict[str, Any] = {"ok": True}
    try:
        judged = _judge(writer.get_extra_info("socket"))  # at once: the peer may end
        line = await reader.readline()  # or closing would take the answer away
        if judged is not None:
            raise InvalidInput(judged)
        message = _object(line)
        if message.get("ask") == "progress":
            answer["progress"] = [astuple(row) for row in live.view().running]
        elif message.get("ask") == "job":
            await scheduler.run_now(OPERATOR, str(message.get("name")))
        else:
            tell(_decode(line))
    except (HiveError, ValueError) as error:
        answer = {"ok": False, "error": str(error)}
    writer.write(_line(answer))
    await writer.drain()


def _judge(peer: socket.socket) -> str | None:
    """Why a peer may not ask: other users, and what the server started, whoever it runs as.

    The directory keeps strangers out already; this holds even where its mode was changed.
    """
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", raw)
    if user not in {0, _own_user()}:
        return "only the server's own user and root may ask"
    if user != _own_user():  # root; what we start cannot become that
        return None
    try:
        is_ours = process == 0 or was_started_here(process) or not _is_still_there(peer)
    except (OSError, ValueError, IndexError):  # it is gone already, or /proc does not show it
        is_ours = True
    return "programs that the server started may not ask" if is_ours else None


def _own_user() -> int:
    return os.geteuid()


def _is_still_there(peer: socket.socket) -> bool:
    """Whether the process that connected lives, so that its number is still its own."""
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, struct.calcsize("i"))
    except OSError as error:  # before Linux 6.5 nobody can tell
        return error.errno == errno.ENOPROTOOPT
    (descriptor,) = struct.unpack("i", raw)
    try:
        ended, _, _ = select.select([descriptor], [], [], 0)
    finally:
        os.close(descriptor)
    return not ended


def _encode(happening: Forwarded) -> bytes:
    name = next(name for name, kind in _TOLD.items() if type(happening) is kind)
    values = {
        key: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in asdict(happening).items()
    }
    return _line({"tell": name, **values})


def _decode(line: bytes) -> Forwarded:
    message = _object(line)
    kind = _TOLD.get(str(message.get("tell")))
    if kind is None:
        raise InvalidInput("this is nothing that can be told")
    values: dict[str, Any] = {field.name: message.get(field.name) for field in fields(kind)}
    for field in fields(kind):
        if type(values[field.name]) is not _TYPES[str(field.type)]:
            raise InvalidInput("the %(name)s is missing", name=field.name)
    return kind(**values)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ValueError("the line was cut off")
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("the line is no JSON object")
    return message


def _short(directory: int, name: str) -> str:
    """A path that fits a socket address (107 bytes), however long the real one is."""
    return f"/proc/self/fd/{directory}/{name}"


@contextlib.contextmanager
def no_server(path: Path) -> Iterator[None]:
    """Keep servers from starting on this data directory; Unavailable where one runs."""
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
        yield
    except BlockingIOError:
        raise Unavailable(
            "A server, or another command, is at work on %(parent)s. Try again.",
            parent=path.parent.parent,
        ) from None
    finally:
        os.close(directory)  # and with it the lock


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield _short(directory, path.name)
    finally:
        os.close(directory)
