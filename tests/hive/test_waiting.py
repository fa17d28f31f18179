"""Waiting for something to become true, and being woken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from hive.background import spawn
from hive.waiting import Stir, until

LONG = 60.0


class Looks:
    """A loop that counts its looks, as the watchers and workers of the server run one."""

    def __init__(self, stir: Stir, *, every: float = LONG, settle: float = 0) -> None:
        self.number = 0
        self.is_looking = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self._stir, self._every, self._settle = stir, every, settle

    async def run(self) -> None:
        while True:
            self.number += 1
            self.is_looking.set()
            await self.may_go_on.wait()
            self.is_looking.clear()
            await self._stir.wait(self._every, settle=self._settle)

    async def reach(self, number: int) -> None:
        async def is_there() -> bool:
            return self.number >= number

        assert await until(is_there, seconds=10, every=0.001), self.number


async def _turns() -> None:
    """Let everything that is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def looks() -> AsyncIterator[Looks]:
    made = Looks(Stir())
    task = spawn(made.run(), name="looks")
    await made.reach(1)
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_stir_has_the_loop_look_once(looks: Looks) -> None:
    looks._stir.set()
    looks._stir.set()
    await looks.reach(2)
    await _turns()
    assert looks.number == 2


async def test_a_stir_during_a_look_leads_to_another_one(looks: Looks) -> None:
    """What came after the look began may not have been seen by it."""
    looks.may_go_on.clear()
    looks._stir.set()
    await looks.reach(2)
    looks._stir.set()
    await _turns()
    assert looks.number == 2
    looks.may_go_on.set()
    await looks.reach(3)
    await _turns()
    assert looks.number == 3


async def test_without_a_stir_it_looks_when_the_time_is_up() -> None:
    looks = Looks(Stir(), every=0.001)
    task = spawn(looks.run(), name="looks")
    await looks.reach(4)
    task.cancel()


async def test_stirs_that_come_together_are_one_look() -> None:
    looks = Looks(Stir(), settle=0.2)
    task = spawn(looks.run(), name="looks")
    await looks.reach(1)
    for _ in range(10):
        looks._stir.set()
        await asyncio.sleep(0.001)
    await looks.reach(2)
    await _turns()
    assert looks.number == 2
    task.cancel()


async def test_until_asks_until_it_is_true() -> None:
    answers = iter([False, False, True])

    async def ask() -> bool:
        return next(answers)

    assert await until(ask, seconds=LONG, every=0.001)
    assert list(answers) == []


async def test_until_gives_up_in_time_and_asks_once_where_there_is_none() -> None:
    asked = 0

    async def ask() -> bool:
        nonlocal asked
        asked += 1
        return False

    assert not await until(ask, seconds=0)
    assert asked == 1
    begun = asyncio.get_running_loop().time()
    assert not await until(ask, seconds=0.05, every=LONG)
    assert asyncio.get_running_loop().time() - begun < LONG / 2
    assert asked == 3  # at the beginning and at the end
