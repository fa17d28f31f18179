"""A client that speaks borg 1's protocol by hand, through real ssh: what borg never sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.gate.harness import Client
from tests.rpc_messages import CLIENT, RpcError, request, result, unpacker

SECONDS = 60.0
ENDED = "the session ended"


class Rpc:
    """Negotiated, and nothing open yet."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._unpacker = unpacker()
        self._number = 0

    async def open(self, name: str = "laptop", **arguments: object) -> Any:
        given = {"path": f"/./{name}", "create": False, "lock_wait": 1, "lock": True}
        return await self.call("open", **given | {"exclusive": True} | arguments)

    async def call(self, method: str, **arguments: object) -> Any:
        await self.send(method, **arguments)
        return await self.answer()

    async def tried(self, method: str, **arguments: object) -> str | None:
        """The error of a call, None where it went well."""
        try:
            await self.call(method, **arguments)
        except RpcError as error:
            return str(error)
        return None

    async def send(self, method: str, **arguments: object) -> None:
        assert self.process.stdin is not None
        self._number += 1
        self.process.stdin.write(request(self._number, method, arguments))
        try:
            await self.process.stdin.drain()
        except ConnectionError as error:
            raise RpcError(ENDED) from error

    async def answer(self) -> Any:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while True:
                for content in self._unpacker:
                    return _result(content)
                data = await self.process.stdout.read(65536)
                if not data:
                    raise RpcError(ENDED)
                self._unpacker.feed(data)

    async def ended(self) -> str:
        """Send nothing more, and return what the server said beside the protocol."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        with suppress(ConnectionError):
            self.process.stdin.close()
        async with asyncio.timeout(SECONDS):
            said = await self.process.stderr.read()
            await self.process.wait()
        return said.decode()


@asynccontextmanager
async def rpc(client: Client, login: str, key: Path | None = None) -> AsyncIterator[Rpc]:
    """A session of `borg serve` with one of the client's keys."""
    process = await client.start(
        "ssh", *client.ssh_options(key), f"{login}@127.0.0.1", "borg", "serve"
    )
    session = Rpc(process)
    try:
        await session.call("negotiate", client_data=CLIENT)
        yield session
        await session.ended()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _result(content: Any) -> Any:
    if not isinstance(content, dict):  # a last word of borg's beside the protocol
        raise RpcError(ENDED)
    return result(content)
