"""The server's end of the control socket: who may ask, and what happens then.

Commands do not import it: it knows the scheduler, and with that nearly all that the server does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import struct
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from hive import control, log, long_work
from hive.control import MAX_LINE, NAMES, SECONDS, Forwarded, from_line, short_path, to_line
from hive.errors import HiveError, InvalidInput, StorageError
from hive.process.confine import was_started_here
from hive.sentences import N_
from hive.services.permissions import OPERATOR
from hive.services.server import scheduler
from hive.services.sessions import progress as live
from hive.signals import tell

logger = log.get(__name__)

_TYPES = {"int": int, "str": str}  # all that their fields are, by the names of annotations

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
            listener.bind(short_path(self._directory, self._path.name))
            self._server = await asyncio.start_unix_server(
                self._connected, sock=listener, limit=MAX_LINE
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, let current answers end, remove the socket."""
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
    directory = control.lock(
        path, N_("Another server is running on the data directory %(parent)s.")
    )
    server = ControlServer(path, directory)
    try:
        await server.open()
    except OSError as error:
        await server.close()
        raise StorageError(
            "The control socket %(path)s cannot be made: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error
    return server


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answer: dict[str, Any] = {"ok": True}
    try:
        judged = _judge(writer.get_extra_info("socket"))  # at once: the peer may end
        line = await reader.readline()  # or closing would take the answer away
        if judged is not None:
            raise InvalidInput(judged)
        message = from_line(line)
        if message.get("ask") == "progress":
            answer["progress"] = [astuple(row) for row in live.view().running]
        elif message.get("ask") == "works":
            answer["works"] = [long_work.to_json(one) for one in long_work.running()]
        elif message.get("ask") == "job":
            await scheduler.run_now(OPERATOR, str(message.get("name")))
        else:
            tell(_decode(line))
    except (HiveError, ValueError) as error:
        answer = {"ok": False, "error": str(error)}
    writer.write(to_line(answer))
    await writer.drain()


def _judge(peer: socket.socket) -> str | None:
    """Why a peer is refused: it belongs to another user, or is a program that the server started.

    The mode of the directory keeps others out already; this holds even if it was changed.
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


def _decode(line: bytes) -> Forwarded:
    message = from_line(line)
    kind = NAMES.get(str(message.get("tell")))
    if kind is None:
        raise InvalidInput("this is not a message for the server")
    values: dict[str, Any] = {field.name: message.get(field.name) for field in fields(kind)}
    for field in fields(kind):
        if type(values[field.name]) is not _TYPES[str(field.type)]:
            raise InvalidInput("the %(name)s is missing", name=field.name)
    return kind(**values)
