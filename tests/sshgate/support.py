"""What the tests of children share: places to work in, and a few words of borg's protocol."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack

from hive.process.child import Child
from hive.process.confine import landlock_abi
from hive.process.spec import ChildSpec, Confinement, Limits, RunAs
from hive.services.programs.discovery import program_roots

LANDLOCK = landlock_abi() > 0
CONFINED = Confinement(landlock=LANDLOCK, user=None, allow_root=True)
NOBODY = RunAs(65534, 65534)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def python(code: str, cwd: Path, **fields: Any) -> ChildSpec:
    """A Python program to run confined."""
    fields.setdefault("executable", program_roots(sys.executable) + python_home())
    return ChildSpec(
        argv=(sys.executable, "-I", "-c", code), environment=ENVIRONMENT, cwd=cwd, **fields
    )


def python_home() -> tuple[Path, ...]:
    return (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())


def borg(
    command: str, repository: Path, state: Path, *options: str, limits: Limits | None = None
) -> ChildSpec:
    """A `borg serve` as the gate starts it."""
    environment = {
        **ENVIRONMENT,
        "HOME": str(repository),
        "BORG_BASE_DIR": str(state),
        "BORG_SELFTEST": "disabled",
        "BORG_HOST_ID": "hive-test",
        "TMPDIR": str(state),
    }
    return ChildSpec(
        argv=(command, "serve", "--restrict-to-repository", str(repository), *options),
        environment=environment,
        cwd=repository,
        writable=(repository, state),
        executable=program_roots(command),
        removable=(repository.parent,),
        limits=limits or Limits(file_bytes=1 << 40, open_files=256, memory_bytes=4 << 30),
    )


async def soon(awaitable: Awaitable[Any], seconds: float = 20) -> Any:
    async with asyncio.timeout(seconds):
        return await awaitable


async def read_all(descriptor: int) -> bytes:
    """Everything until EOF."""
    data = b""
    while chunk := await read_some(descriptor):
        data += chunk
    return data


async def read_some(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        with suppress(BlockingIOError):
            return os.read(descriptor, 1 << 16)
        readable = asyncio.Event()
        loop.add_reader(descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(descriptor)


async def write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            await asyncio.sleep(0.005)


async def output_of(spec: ChildSpec, confinement: Confinement = CONFINED) -> tuple[int, str]:
    """Exit status and everything printed, standard output first."""
    child = Child.start(spec, confinement)
    try:
        child.close_stdin()
        printed = await soon(read_all(child.stdout_fd))
        printed += await soon(read_all(child.stderr_fd))
        return await soon(child.wait()), printed.decode(errors="replace")
    finally:
        await child.end(0)
        child.close()


class Rpc:
    """A borg client that says what it is told, over the pipes of a child."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self._last = 0
        self._unpacker = msgpack.Unpacker(raw=True)

    async def send(self, method: str, **arguments: object) -> None:
        self._last += 1
        named = {name.encode(): value for name, value in arguments.items()}
        message = {b"i": self._last, b"m": method.encode(), b"a": named}
        await write_all(self.child.stdin_fd, msgpack.packb(message, use_bin_type=False))

    async def call(self, method: str, **arguments: object) -> Any:
        """The result, or the name of the exception that borg answered with."""
        await self.send(method, **arguments)
        while True:
            for answer in self._unpacker:
                return answer[b"r"] if b"r" in answer else answer[b"exception_class"].decode()
            data = await soon(read_some(self.child.stdout_fd))
            assert data, (await read_all(self.child.stderr_fd)).decode()
            self._unpacker.feed(data)

    async def open(self, path: Path, *, create: bool = False) -> Any:
        await self.call("negotiate", client_data={b"client_version": (1, 2, 7)})
        return await self.call(
            "open", path=bytes(path), create=create, exclusive=True, lock=True, lock_wait=1
        )


async def talk(spec: ChildSpec, confinement: Confinement, repository: Path) -> None:
    """Make a repository, put something in, take it out, and delete all."""
    child = Child.start(spec, confinement)
    try:
        client = Rpc(child)
        assert isinstance(await client.open(repository, create=True), bytes)
        assert await client.call("put", id=b"1" * 32, data=b"x" * 100_000) is None
        assert await client.call("commit", save_space=False) is None
        assert await client.call("get", id=b"1" * 32) == b"x" * 100_000
        assert await client.call("list") == [b"1" * 32]
        assert await client.call("check", repair=False, save_space=False) is True
        assert await client.call("delete", id=b"1" * 32) is None
        assert await client.call("commit", save_space=False) is None
        assert await client.call("destroy") is None
        child.close_stdin()
        assert await soon(child.wait()) == 0
    finally:
        await child.end(0)
        child.close()
