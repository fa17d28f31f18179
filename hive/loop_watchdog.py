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

from hive import log, memory

T = TypeVar("T")

logger = log.get(__name__)

LIMIT = 0.25  # seconds
_LOOK = 0.125  # seconds; with the next figure less than the limit: a look falls into each stall
_CERTAIN = 0.05  # seconds at work before the stack is taken
_HANGS = 5.0  # seconds after which a stall is logged although it goes on: it may never end
_MOST_FRAMES = 25
_MOST_ENDED = 20  # stalls that are logged of those between two looks


@dataclass(frozen=True)
class Stalls:
    """The stalls since the services started, for a page of figures."""

    count: int = 0
    longest_seconds: float = 0.0
    total_seconds: float = 0.0


@dataclass
class _Memory:
    stalls: Stalls = Stalls()


def stalls() -> Stalls:
    return memory.of(_Memory).stalls


def run(main: Coroutine[object, object, T]) -> T:
    """Run this as asyncio.run does, in a loop that `watch` can watch."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def watch() -> Callable[[], None]:
    """Watch the running loop until the function that is returned is called.

    Begin when others can connect: until then nobody waits, and migrations take their time.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _Loop):
        raise TypeError("this loop was not started by hive.loop_watchdog.run")
    watchdog = _Watchdog(loop.rounds)
    watchdog.start()
    return watchdog.stop


_select = selectors.DefaultSelector.select


class _Selector(selectors.DefaultSelector):
    """The selector of a loop that is watched; `begun` is when its round began, 0 while it waits.

    A round lasts from when there is something to do until the loop waits again. Every packet of
    every client passes here, so nothing is done that could be done elsewhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0.0
        self.note_stall: Callable[[float], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.note_stall is not None and self.begun and monotonic() - self.begun > LIMIT:
            self.note_stall(self.begun)
        self.begun = 0.0
        ready = _select(self, timeout)
        self.begun = monotonic()
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's usual loop, which can be watched."""

    def __init__(self) -> None:
        self.rounds = _Selector()
        super().__init__(self.rounds)


class _Watchdog:
    """Watches one loop from `start` to `stop`; both are called in the thread of the loop."""

    def __init__(self, rounds: _Selector) -> None:
        self._rounds = rounds
        self._loop_thread = 0
        # when a round began, and the stack of what it was at
        self._sample: tuple[float, traceback.StackSummary | None] = (0.0, None)
        self._ended: deque[tuple[float, float]] = deque(maxlen=_MOST_ENDED)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop watchdog", daemon=True)

    def start(self) -> None:
        self._loop_thread = threading.get_ident()
        self._rounds.note_stall = self._note_stall
        self._thread.start()

    def stop(self) -> None:
        self._rounds.note_stall = None
        self._is_over.set()
        self._thread.join()

    def _note_stall(self, begun: float) -> None:
        """Count a round that is over and took too long; called by the loop itself."""
        seconds = monotonic() - begun
        former = stalls()
        memory.of(_Memory).stalls = Stalls(
            former.count + 1,
            max(former.longest_seconds, seconds),
            former.total_seconds + seconds,
        )
        self._ended.append((begun, seconds))

    def _watch(self) -> None:
        hanging = 0.0  # when the round began that was logged as one that hangs
        while not self._is_over.wait(_LOOK):
            self._log_ended()
            begun = self._rounds.begun
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
        # Source lines are read when it is logged: reading lets the loop go on, perhaps to the end.
        frames = list(traceback.walk_stack(frame))[:_MOST_FRAMES]
        stack = traceback.StackSummary.extract(reversed(frames), lookup_lines=False)
        if self._rounds.begun == begun:
            self._sample = (begun, stack)

    def _log_ended(self) -> None:
        while self._ended:
            self._log("the event loop stood still", *self._ended.popleft())

    def _log(self, event: str, begun: float, seconds: float) -> None:
        sampled, stack = self._sample
        known = {}
        if stack is not None and sampled == begun:
            known["exception"] = "".join(stack.format()).rstrip("\n")
        logger.warning(event, seconds=round(seconds, 3), **known)
