"""Bare TCP to the gate."""

from __future__ import annotations

import asyncio

from tests.e2e.gate.hostile.scene import Scene

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def dial(scene: Scene, source: str = "127.0.0.1") -> Streams:
    return await asyncio.open_connection("127.0.0.1", scene.port, local_addr=(source, 0))


async def rest_of(reader: asyncio.StreamReader, seconds: float = 15) -> bytes:
    """What the gate still sends until it hangs up."""
    received = b""
    async with asyncio.timeout(seconds):
        try:
            while data := await reader.read(65536):
                received += data
        except ConnectionResetError:
            pass
    return received


async def hang_up(*streams: Streams) -> None:
    for _, writer in streams:
        writer.close()
    for _, writer in streams:
        try:
            await writer.wait_closed()
        except ConnectionError:
            continue


async def pay_in(streams: Streams, data: bytes, *, end: bool = True) -> bytes:
    """Send something, then take what comes until the gate hangs up."""
    reader, writer = streams
    try:
        writer.write(data)
        if end:
            writer.write_eof()
        await writer.drain()
    except ConnectionError:
        pass
    received = await rest_of(reader)
    await hang_up(streams)
    return received
