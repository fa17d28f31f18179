"""A hostile client of borg 1's protocol: it sends what it likes and ignores what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack

from tests.e2e.gate.harness import Client

_SECONDS = 60.0


class RpcClient:
    """Calls of borg 1 over a real ssh."""

    def __init__(self, process: asyncio.subprocess.Process, path: str) -> None:
        self.process = process
        self._path = path
        self._unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
        self._last = 0

    async def send(self, method: str, **arguments: Any) -> None:
        assert self.process.stdin is not None
        self._last += 1
        message = {
            b"i": self._last,
            b"m": method.encode(),
            b"a": {name.encode(): value for name, value in arguments.items()},
        }
        self.process.stdin.write(msgpack.packb(message, use_bin_type=False))
        await self.process.stdin.drain()

    async def answer(self) -> dict[bytes, Any] | None:
        """The next answer; None where the server sends no more."""
        assert self.process.stdout is not None
        while True:
            for message in self._unpacker:
                return dict(message)
            async with asyncio.timeout(_SECONDS):
                data = await self.process.stdout.read(65536)
            if not data:
                return None
            self._unpacker.feed(data)

    async def call(self, method: str, **arguments: Any) -> Any:
        """The result of a call, or the text of what it was answered with instead."""
        await self.send(method, **arguments)
        answer = await self.answer()
        if answer is None:
            raise ConnectionResetError
        if b"exception_class" in answer:
            return RpcError(answer)
        return answer.get(b"r")

    async def open(self, *, create: bool = False) -> None:
        """Begin as borg does, ready to write."""
        await self.call("negotiate", client_data={b"client_version": (1, 2, 7)})
        opened = await self.call(
            "open",
            path=self._path.encode(),
            create=create,
            lock_wait=5,
            lock=True,
            exclusive=True,
            append_only=False,
        )
        assert not isinstance(opened, RpcError), str(opened)

    async def put(self, number: int, data: bytes) -> Any:
        return await self.call("put", id=number.to_bytes(32, "big"), data=data, wait=True)

    async def leave(self) -> bytes:
        """End our side; what was said on standard error."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(_SECONDS):
            _, error = await self.process.communicate()
        return error


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, answer: dict[bytes, Any]) -> None:
        super().__init__(str(answer))


@asynccontextmanager
async def calling(client: Client, login: str, path: str = "/./laptop") -> AsyncIterator[RpcClient]:
    """A client whose session is killed in the end, where it did not leave."""
    process = await client.start("ssh", *client.ssh_options(), f"{login}@127.0.0.1", "borg serve")
    try:
        yield RpcClient(process, path)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
