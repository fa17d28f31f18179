"""What a client sends before anybody is there to take it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol


class Pausable(Protocol):
    """The channel, as far as it matters here."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Inbox:
    """Keeps what comes first; the channel is paused after each piece, so that this stays small."""

    def __init__(self) -> None:
        self.eof = False
        self._pieces: list[bytes] = []
        self._closed = False
        self._stirred = asyncio.Event()

    def put(self, data: bytes, channel: Pausable) -> None:
        self._pieces.append(data)
        channel.pause_reading()
        self._stirred.set()

    def put_eof(self) -> None:
        self.eof = True
        self._stirred.set()

    def close(self) -> None:
        """The channel is gone: nothing more will come."""
        self._closed = True
        self._stirred.set()

    def take(self) -> bytes:
        """All that has come and was not taken yet."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    async def wait(self, channel: Pausable, seconds: float) -> bool:
        """Wait for data or EOF; whether there is any, and still a channel to answer on."""
        if not (self._pieces or self.eof or self._closed):
            self._stirred.clear()
            channel.resume_reading()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stirred.wait()
        return bool(self._pieces or self.eof) and not self._closed
