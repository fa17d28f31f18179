"""A stall of the event loop is noticed, counted, and its cause is named."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import structlog

from hive import log_lines, loop_watchdog
from hive.loop_watchdog import LIMIT, stalls

assert log_lines  # sets structlog up, which must come before its lines are captured

pytestmark = pytest.mark.usefixtures("remembering")

T = TypeVar("T")


def watched(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work in a loop that is watched meanwhile."""

    async def main() -> T:
        stop = loop_watchdog.watch()
        try:
            return await work()
        finally:
            await asyncio.sleep(0.01)
            stop()

    return loop_watchdog.run(main())


def _sleeps_on_the_loop(seconds: float) -> None:
    time.sleep(seconds)


def _holds_the_interpreter(seconds: float) -> None:
    """Calls into C, each of which lets no other thread run for some 50 ms."""
    begun = called = time.monotonic()
    size = 16
    while called - begun < seconds:
        re.fullmatch(r"(a+)+b", "a" * size)
        took, called = time.monotonic() - called, time.monotonic()
        size += took < 0.04


@pytest.mark.parametrize("stall", [_sleeps_on_the_loop, _holds_the_interpreter])
def test_a_stall_is_counted_and_logged_with_the_stack_of_its_cause(stall: object) -> None:
    async def main() -> None:
        await asyncio.sleep(0.05)
        stall(3 * LIMIT)  # type: ignore[operator]
        await asyncio.sleep(0.05)

    before = stalls()
    with structlog.testing.capture_logs() as lines:
        watched(main)
    after = stalls()
    assert after.count == before.count + 1
    assert after.longest_seconds >= 3 * LIMIT
    assert after.total_seconds - before.total_seconds >= 3 * LIMIT
    (line,) = [line for line in lines if line["event"] == "the event loop stood still"]
    assert line["seconds"] > LIMIT
    assert stall.__name__ in line["exception"]  # type: ignore[attr-defined]


def test_every_length_above_the_limit_is_noticed_wherever_it_begins() -> None:
    async def main() -> None:
        for number in range(12):
            await asyncio.sleep(0.017 * number)
            time.sleep(LIMIT + 0.005)  # noqa: ASYNC251 - it is what is to be noticed

    before = stalls()
    with structlog.testing.capture_logs() as lines:
        watched(main)
    assert stalls().count == before.count + 12
    told = [line for line in lines if line["event"] == "the event loop stood still"]
    assert len(told) == 12
    # on a machine that is busy with other things, the thread may come too late now and then
    assert sum("time.sleep" in line.get("exception", "") for line in told) > 6


def test_many_short_steps_are_no_stall() -> None:
    async def main() -> None:
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            time.sleep(0.01)  # noqa: ASYNC251 - short enough
            await asyncio.sleep(0)

    before = stalls()
    watched(main)
    assert stalls() == before


def test_a_loop_that_hangs_is_told_before_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_watchdog, "_HANGS", 0.3)

    async def main() -> None:
        time.sleep(0.8)  # noqa: ASYNC251 - it is what is to be noticed
        assert [line["event"] for line in lines] == ["the event loop hangs"]
        await asyncio.sleep(0)

    with structlog.testing.capture_logs() as lines:
        watched(main)
    assert [line["event"] for line in lines] == [
        "the event loop hangs",
        "the event loop stood still",
    ]


def test_at_rest_it_costs_next_to_nothing() -> None:
    async def main() -> float:
        before = time.process_time()
        await asyncio.sleep(2)
        return time.process_time() - before

    assert watched(main) < 0.02


def test_nothing_is_counted_before_the_watch_begins() -> None:
    async def main() -> None:
        await asyncio.sleep(0)
        time.sleep(1.2 * LIMIT)  # noqa: ASYNC251 - as a migration does
        await asyncio.sleep(0)
        loop_watchdog.watch()()

    before = stalls()
    loop_watchdog.run(main())
    assert stalls() == before
