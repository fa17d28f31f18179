"""A gate under watch: what it logs, what escapes it, and what a hostile client leaves behind."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest import mock

import asyncssh
from asyncssh.connection import SSHServerConnection

from hive import log, log_lines
from hive.kinds import Access
from hive.services.keys import keys
from hive.services.permissions import OPERATOR
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import infos as session_infos
from hive.services.sessions.filters import SessionState
from sshgate import gate
from sshgate.connection import GateConnection
from sshgate.gate import Gate
from sshgate.session import GateSession
from tests.e2e.gate.harness import House, open_house
from tests.e2e.gate.hostile.handmade import SUCCESS, HandmadeConnection, handmade

WAIT_SECONDS = 5.0
_WATCHED = ("hive.background", "asyncio")


def new_key(kind: str = "ssh-ed25519", **options: Any) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind, **options)


async def until(condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition; fail with `what` when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in {seconds} s not seen: {what}"
        await asyncio.sleep(0.02)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> set[str]:
    found = set()
    for entry in os.scandir("/proc/self/fd"):
        if entry.name in {"0", "1", "2"}:  # the test runner's, which changes them
            continue
        try:
            found.add(f"{entry.name} {os.readlink(entry.path)}")  # noqa: PTH115 - a path as text
        except OSError:
            continue
    return found


def children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found.update(map(int, (task / "children").read_text().split()))
        except OSError:
            continue
    return found


class LogBook:
    """Everything that is logged, as an operator would read it."""

    def __init__(self) -> None:
        self._stream = io.StringIO()

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def clear(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()

    def having(self, *words: str) -> list[str]:
        return [line for line in self.lines if all(word in line for word in words)]

    async def wait_for(self, *words: str) -> str:
        await until(lambda: bool(self.having(*words)), f"a log line with {words}: {self.text}")
        return self.having(*words)[0]

    def assert_calm(self) -> None:
        bad = [line for line in self.lines if re.search(r" (ERROR|CRITICAL) |^    \| ", line)]
        bad += self.having("never retrieved") + self.having("background task failed")
        assert not bad, "\n".join(bad)
        odd = [line for line in self.lines if not re.match(r"\d{4}-\d\d-\d\dT", line)]
        assert not odd, f"lines that somebody else began: {odd}"

    @contextmanager
    def recording(self) -> Iterator[None]:
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(log_lines.formatter("text"))
        root = logging.getLogger()
        levels = {name: logging.getLogger(name).level for name in ("", "asyncssh", *_WATCHED)}
        root.setLevel(logging.INFO)
        logging.getLogger("asyncssh").setLevel(logging.WARNING)
        for name in _WATCHED:
            logging.getLogger(name).setLevel(logging.DEBUG)
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


@contextmanager
def no_escapes(escaped: list[BaseException]) -> Iterator[None]:
    """Collect what asyncssh would catch and only tell at its debug level."""

    def watch(owner: type, name: str) -> Any:
        original = getattr(owner, name)

        def watched(self: object, *arguments: Any) -> Any:
            try:
                return original(self, *arguments)
            except Exception as error:
                escaped.append(error)
                raise

        return mock.patch.object(owner, name, watched)

    internal_error = SSHServerConnection.internal_error

    def on_error(self: SSHServerConnection, exc_info: Any = None, **more: Any) -> None:
        error = (exc_info or sys.exc_info())[1]
        # What asyncssh cannot parse ends the connection in this way too, by itself; it never
        # means that a client brought asyncssh to its limits.
        overrun = isinstance(error, RecursionError | MemoryError | AttributeError)
        if error is not None and (overrun or _passed_through_the_gate(error)):
            escaped.append(error)
        internal_error(self, exc_info, **more)

    names = [
        (GateConnection, "connection_lost"),
        (GateConnection, "session_requested"),
        (GateSession, "connection_lost"),
        (GateSession, "data_received"),
        (GateSession, "eof_received"),
        (GateSession, "pause_writing"),
        (GateSession, "resume_writing"),
    ]
    patches = [watch(owner, name) for owner, name in names]
    patches.append(mock.patch.object(SSHServerConnection, "internal_error", on_error))
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


_OWN_CODE = tuple(f"{Path(file).parent}{os.sep}" for file in (log.__file__, gate.__file__))


def _passed_through_the_gate(error: BaseException) -> bool:
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(name.startswith(_OWN_CODE) for name in frames)


@dataclass
class Scene:
    """A house with one repository, `laptop`, that three keys open, and a key that opens nothing."""

    house: House
    log: LogBook
    repository: RepositoryInfo
    full: asyncssh.SSHKey
    append: asyncssh.SSHKey
    read: asyncssh.SSHKey
    stranger: asyncssh.SSHKey
    escaped: list[BaseException] = field(default_factory=list)
    _before: tuple[set[str], set[int], set[asyncio.Task[Any]]] = (set(), set(), set())

    @property
    def gate(self) -> Gate:
        return self.house.gate

    @property
    def sessions(self) -> list[GateSession]:
        return cast("list[GateSession]", list(self.gate.sessions.values()))

    @property
    def connections(self) -> list[GateConnection]:
        return cast("list[GateConnection]", list(self.gate.connections))

    @property
    def port(self) -> int:
        return self.house.port

    @property
    def login(self) -> str:
        return self.repository.login

    async def connect(
        self,
        key: asyncssh.SSHKey | None = None,
        login: str | None = None,
        **options: Any,
    ) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            "127.0.0.1",
            self.port,
            known_hosts=None,
            config=None,
            agent_path=None,
            client_keys=[key or self.full],
            username=login or self.login,
            **options,
        )

    async def status(
        self,
        key: asyncssh.SSHKey | None = None,
        login: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """What `status --json` says: the gate serves, and with these rights."""
        async with await self.connect(key, login, **options) as connection:
            done = await connection.run("status --json")
        assert done.exit_status == 0, done.stderr
        answer: dict[str, Any] = json.loads(str(done.stdout))
        return answer

    async def is_refused(
        self,
        key: asyncssh.SSHKey,
        login: str | None = None,
        **options: Any,
    ) -> bool:
        try:
            connection = await self.connect(key, login, **options)
        except asyncssh.PermissionDenied:
            return True
        connection.close()
        await connection.wait_closed()
        return False

    @asynccontextmanager
    async def logged_in(
        self,
        key: asyncssh.SSHKey | None = None,
        **options: Any,
    ) -> AsyncIterator[HandmadeConnection]:
        """A handmade connection that has logged in."""
        async with handmade(self.port, **options) as connection:
            assert await connection.ask(self.login, key or self.full) == SUCCESS
            yield connection

    async def add_key(self, name: str, key: asyncssh.SSHKey, **more: Any) -> int:
        text = key.export_public_key().decode()
        return (
            await keys.add_key(OPERATOR, keys.AddKey(name=name, owner="alice", text=text, **more))
        ).id

    def note_what_is_there(self) -> None:
        self.log.clear()
        self.escaped.clear()
        self._before = (open_files(), children(), asyncio.all_tasks())

    async def assert_nothing_left(self) -> None:
        """No connection, session, child, file or task more than before the hostile client."""
        gate = self.gate
        files, processes, tasks = self._before

        def left() -> list[object]:
            return [
                *gate.connections,
                *gate.sessions.values(),
                *(
                    [f"{gate.doorman.unauthenticated} waiting"]
                    if gate.doorman.unauthenticated
                    else []
                ),
                *(children() - processes),
                *(open_files() - files),
                *(asyncio.all_tasks() - tasks - {asyncio.current_task()}),
            ]

        try:
            await until(lambda: not left(), "that nothing is left")
        except AssertionError:
            raise AssertionError(f"left behind: {left()}") from None
        assert not await session_infos.list_sessions(OPERATOR, state=SessionState.LIVE)

    async def finish(self) -> None:
        """What must hold after whatever was done: it serves, it is calm, nothing is left."""
        await self.assert_nothing_left()
        answer = await self.status()
        assert answer["repository"] == "laptop"
        await self.assert_nothing_left()
        gc.collect()
        await asyncio.sleep(0)
        self.log.assert_calm()
        assert not self.escaped, self.escaped


@asynccontextmanager
async def open_scene(directory: Path, **overrides: Any) -> AsyncIterator[Scene]:
    """A watched house; what a hostile client left behind or upset fails the test in the end."""
    book, escaped = LogBook(), list[BaseException]()
    overrides = {"ssh.end_grace_seconds": 2, **overrides}
    with book.recording(), no_escapes(escaped):
        async with open_house(directory, **overrides) as house:
            await house.user()
            made = {name: new_key() for name in ("full", "append", "read", "stranger")}
            for name in ("full", "append", "read"):
                text = made[name].export_public_key().decode()
                await keys.add_key(OPERATOR, keys.AddKey(name=name, owner="alice", text=text))
            accesses = {
                "full": Access.FULL,
                "append": Access.APPEND_ONLY,
                "read": Access.READ_ONLY,
            }
            repository = await house.repository("laptop", accesses)
            scene = Scene(
                house,
                book,
                repository,
                made["full"],
                made["append"],
                made["read"],
                made["stranger"],
                escaped,
            )
            await scene.status()
            await until(lambda: not house.gate.connections, "the end of the first login")
            scene.note_what_is_there()
            yield scene
            await scene.finish()
