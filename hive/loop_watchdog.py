"""Notices when the event loop stands still: everything else in this process waits meanwhile.

The loop's selector tells when the loop begins to work and when it waits again. That measures
every stall exactly, and costs nothing while nothing happens. A thread looks a few times a second
whether the loop has been at work for long, and takes the stack of what it is at.

asyncio's debug mode does not serve here: it makes every callback slower, and names the callback
only, not where in it the time went.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from hive import log

T = TypeVar("T")

logger = log.get(__name__)

LIMIT = 0.25  # seconds
_LOOK = 0.2  # seconds; less than the limit, so that a look falls into every stall
_CERTAIN = 0.04  # seconds at work before the stack is taken: the limit less a look, and some
_HANGS = 5.0  # seconds after which a stall is logged although it goes on: it may never end
_MOST_FRAMES = 25
_MOST_ENDED = 20  # stalls that are logged of those between two looks


@dataclass(frozen=True)
class Stalls:
    """The stalls since the process started, for a page of figures."""

    count: int = 0
    longest_seconds: float = 0.0
    total_seconds: float = 0.0


_stalls = Stalls()


def stalls() -> Stalls:
    return _stalls


def run(main: Coroutine[object, object, T]) -> T:
    """Run this as asyncio.run does, and watch the loop."""
    watchdog = _Watchdog()
    with asyncio.Runner(loop_factory=watchdog.new_loop) as runner:
        watchdog.start()
        try:
            return runner.run(main)
        finally:
            watchdog.stop()


_select = selectors.DefaultSelector.select


class _Selector(selectors.DefaultSelector):
    """The selector of a loop that is watched; `begun` is when its round began, 0 while it waits.

    A round lasts from when there is something to do until the loop waits again. Every packet of
    every client passes here, so nothing is done that could be done elsewhere.
    """

    def __init__(self, note_stall: Callable[[float], None]) -> None:
        super().__init__()
        self.begun = 0.0
        self._note_stall = note_stall

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.begun and monotonic() - self.begun > LIMIT:
            self._note_stall(self.begun)
        self.begun = 0.0
        ready = _select(self, timeout)
        self.begun = monotonic()
        return ready


class _Watchdog:
    """Watches one loop from `start` to `stop`; both are called in the thread of the loop."""

    def __init__(self) -> None:
        self._selector = _Selector(self._note_stall)
        self._loop_thread = 0
        self._sample = (0.0, "")  # when a round began, and the stack of what it was at
        self._ended: deque[tuple[float, float]] = deque(maxlen=_MOST_ENDED)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop watchdog", daemon=True)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(self._selector)

    def start(self) -> None:
        self._loop_thread = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _note_stall(self, begun: float) -> None:
        """Count a round that is over and took too long; called by the loop itself."""
        global _stalls  # noqa: PLW0603 - the figures are those of the process
        seconds = monotonic() - begun
        _stalls = Stalls(
            _stalls.count + 1,
            max(_stalls.longest_seconds, seconds),
            _stalls.total_seconds + seconds,
        )
        self._ended.append((begun, seconds))

    def _watch(self) -> None:
        hanging = 0.0  # when the round began that was logged as one that hangs
        while not self._is_over.wait(_LOOK):
            self._log_ended()
            begun = self._selector.begun
            seconds = monotonic() - begun if begun else 0.0
            if seconds > _CERTAIN and self._sample[0] != begun:
                self._take_sample(begun)
            if seconds > _HANGS and hanging != begun:
                hanging = begun
                self._log("the event loop hangs", begun, seconds)
        self._log_ended()

    def _take_sample(self, begun: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - made for this
        if frame is None:
            return
        stack = "".join(traceback.format_stack(frame)[-_MOST_FRAMES:]).rstrip("\n")
        if self._selector.begun == begun:
            self._sample = (begun, stack)

    def _log_ended(self) -> None:
        while self._ended:
            self._log("the event loop stood still", *self._ended.popleft())

    def _log(self, event: str, begun: float, seconds: float) -> None:
        sampled, stack = self._sample
        known = {"exception": stack} if sampled == begun else {}
        logger.warning(event, seconds=round(seconds, 3), **known)
