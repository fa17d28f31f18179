"""A whole gate in the test's own event loop, and real clients that talk to it."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hive.config import settings as config
from hive.kinds import Access, Mode
from hive.services import runtime
from hive.services.accounts import users
from hive.services.gate import host_keys
from hive.services.keys import keys
from hive.services.permissions import OPERATOR
from hive.services.programs import confinement, discovery
from hive.services.programs.host import Host
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import infos as session_infos
from hive.services.sessions.filters import SessionState
from hive.services.storage import locations
from sshgate.gate import Gate
from sshgate.server import Server
from tests import ordinary, schema
from tests.programs import borg_command, rsync_command

SSH_KEYGEN = shutil.which("ssh-keygen") or "/usr/bin/ssh-keygen"
CLIENT_SECONDS = 60.0
PASSPHRASE = "a passphrase for tests"


@dataclass(frozen=True)
class Done:
    """How a client ended."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode(errors="replace")

    @property
    def error(self) -> str:
        return self.err.decode(errors="replace")

    def must(self, status: int = 0) -> Done:
        assert self.status == status, (self.status, self.text[-2000:], self.error[-3000:])
        return self


@dataclass
class Client:
    """A machine that backs up: a key pair, a known_hosts file and a home of its own."""

    directory: Path
    port: int
    host_keys: Sequence[str]
    extra_environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [f"[127.0.0.1]:{self.port} {line}\n" for line in self.host_keys]
        (self.directory / "known_hosts").write_text("".join(lines))
        self.make_key("id")

    def make_key(self, name: str, *options: str) -> Path:
        path = self.directory / name
        words = options or ("-t", "ed25519")
        subprocess.run(
            [SSH_KEYGEN, "-q", "-N", "", "-C", f"{name}@test", "-f", path, *words], check=True
        )
        return path

    @property
    def public_key(self) -> str:
        return (self.directory / "id.pub").read_text()

    def ssh_options(self, key: Path | None = None) -> list[str]:
        return [
            "-F",
            "none",
            "-p",
            str(self.port),
            "-i",
            str(key or self.directory / "id"),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-o",
            "BatchMode=yes",
            "-o",
            f"UserKnownHostsFile={self.directory / 'known_hosts'}",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
            "-o",
            "StrictHostKeyChecking=yes",
        ]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "BORG_BASE_DIR": str(self.directory / "borg"),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_RSH": " ".join(["ssh", *self.ssh_options()]),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
            "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            **self.extra_environment,
        }

    async def start(
        self, *argv: str | Path, cwd: Path | None = None, **environment: str
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd or self.directory,
            env={**self.environment(), **environment},
            start_new_session=True,
        )

    async def run(
        self,
        *argv: str | Path,
        data: bytes = b"",
        cwd: Path | None = None,
        seconds: float = CLIENT_SECONDS,
        **environment: str,
    ) -> Done:
        process = await self.start(*argv, cwd=cwd, **environment)
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(data)
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"{argv[:3]} did not end: {err[-2000:]!r}") from None
        assert process.returncode is not None
        return Done(process.returncode, out, err)

    async def ssh(
        self, login: str, *command: str, data: bytes = b"", options: Sequence[str] = ()
    ) -> Done:
        target = f"{login}@127.0.0.1"
        return await self.run("ssh", *self.ssh_options(), *options, target, *command, data=data)

    async def borg(
        self, *arguments: str | Path, version: str = "1.4", cwd: Path | None = None, **env: Any
    ) -> Done:
        return await self.run(borg_command(version), *arguments, cwd=cwd, **env)

    @property
    def remote_shell(self) -> str:
        return " ".join(["ssh", *self.ssh_options()])

    async def rsync(self, *arguments: str | Path, **environment: Any) -> Done:
        return await self.run(rsync_command(), "-e", self.remote_shell, *arguments, **environment)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 60.0) -> None:
    """Wait for something to become true; it fails the test if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


class House:
    """A hive with its gate, and short words for what tests need of it."""

    def __init__(self, directory: Path, server: Server, host_key_lines: Sequence[str]) -> None:
        self.directory = directory
        self.server = server
        self.gate = server.gate
        self.port = server.port
        self._host_keys = host_key_lines
        self._clients = 0

    def client(self) -> Client:
        self._clients += 1
        return Client(self.directory / f"client{self._clients}", self.port, self._host_keys)

    async def user(self, name: str = "alice") -> None:
        await users.add_user(OPERATOR, users.AddUser(name=name))

    async def key(self, client: Client, name: str, owner: str = "alice") -> None:
        await keys.add_key(OPERATOR, keys.AddKey(name=name, owner=owner, text=client.public_key))

    async def repository(
        self,
        name: str = "laptop",
        accesses: Mapping[str, Access] | None = None,
        *,
        owner: str = "alice",
        mode: Mode = Mode.BORG,
        **more: Any,
    ) -> RepositoryInfo:
        return await catalogue.add_repository(
            OPERATOR, name, owner=owner, accesses=accesses, mode=mode, **more
        )

    async def running(self) -> list[session_infos.SessionInfo]:
        return await session_infos.list_sessions(OPERATOR, state=SessionState.LIVE)

    async def has_running(self) -> bool:
        return bool(await self.running())

    async def is_quiet(self) -> bool:
        return not await self.running()

    async def last_session(self) -> session_infos.SessionInfo:
        return (await session_infos.list_sessions(OPERATOR, limit=1))[0]


@functools.cache
def _programs(borg: str, borg2: str | None, rsync: str) -> discovery.Programs:
    """What was found once is there for all tests; asking for versions takes its time."""
    return discovery.Programs(
        borg=discovery.find_program(borg, "--version"),
        borg2=discovery.find_program(borg2, "--version"),
        rsync=discovery.find_program(rsync, "--version"),
    )


@asynccontextmanager
async def open_house(directory: Path, **overrides: Any) -> AsyncIterator[House]:
    """Start services and gate in `directory`, with dotted settings, on a free port."""
    settings = config.load(
        None,
        data_dir=directory / "hive",
        environment={},
        overrides={
            "ssh.listen": "127.0.0.1:0",
            "ssh.new_connections_burst_per_address": 500,
            "ssh.new_connections_per_minute_per_address": 6000,
            "rsync.command": rsync_command(),
            "borg.command": borg_command("1.4"),
            **ordinary.child_settings(),
            **overrides,
        },
    )
    if not settings.paths.database.exists():
        schema.put_database(settings.paths.database)
    await runtime.start(settings)
    found = _programs(settings.borg.command, settings.borg.borg2_command, settings.rsync.command)
    paths = [program.path for program in (found.borg, found.borg2, found.rsync) if program]
    assessment = confinement.assess(
        confinement.Wishes.of(settings), roots=[settings.paths.repositories], programs=paths
    )
    assert assessment.refusal is None, assessment.refusal
    gate = Gate(
        Host(
            settings=settings,
            programs=found,
            host_id=runtime.host_id(),
            confinement=assessment.confinement,
        )
    )
    server = Server(gate)
    try:
        loaded = await host_keys.load()
        await server.listen(loaded)
        default = await locations.find_location(OPERATOR, "default")
        await locations.change_location(
            OPERATOR, default.id, locations.ChangeLocation(host="127.0.0.1")
        )
        runtime.write_listening(runtime.Listening(os.getpid(), server.port, "http://127.0.0.1:1"))
        yield House(directory, server, [key.public.line for key in loaded])
    finally:
        await server.stop(0)
        await runtime.stop()
