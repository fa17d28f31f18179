"""Waiting: for something to become true, or to be woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(
    is_true: Callable[[], Awaitable[bool]], *, seconds: float, every: float = 0.1
) -> bool:
    """Ask again and again until it is true; False where it is not within `seconds`.

    It is asked at least once, and once more when the time is up.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await is_true():
        left = end - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(every, left))
    return True


class Stir:
    """Wakes one loop that looks from time to time, so that it looks now."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Have the loop look: at once, or after the look that it is at."""
        self._event.set()

    async def wait(self, seconds: float, *, settle: float = 0) -> None:
        """Return when the next look is due: after `seconds`, or soon after it was stirred.

        What comes within `settle` seconds of the first stir is covered by the same look.
        """
        try:
            async with asyncio.timeout(max(0, seconds)):
                await self._event.wait()
        except TimeoutError:
            return
        await asyncio.sleep(settle)
        self._event.clear()
