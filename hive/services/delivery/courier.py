"""The courier: sends what the outbox holds, each channel on its own.

A channel that hangs delays no other: each is a separate lane that sends one message at a time.
"""

from __future__ import annotations

import asyncio
import time

from hive import clock, log, signals
from hive.background import spawn
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.models import Channel, Delivery
from hive.notify.channel import Means
from hive.sentences import say
from hive.services.delivery import deliveries, failing, messages
from hive.services.delivery.deliveries import Failure
from hive.services.outbox import sending
from hive.services.outbox.condition import Lane
from hive.services.outbox.routing import OWN_MAIL
from hive.services.secrets import settings_of
from hive.waiting import Stir

logger = log.get(__name__)

_LANES = 16  # at once
_SECONDS = 120.0  # for one message, whatever the channel itself allows
_LOOK_EVERY = 30.0
_DRAIN_SECONDS = 5.0
_LONGEST_WAIT = 5.0  # seconds; the clock may be set meanwhile
_SETTLE_SECONDS = 1.0  # between the first news and a look


class Courier:
    """One for a server."""

    def __init__(
        self, means: Means, *, seconds: float = _SECONDS, settle_seconds: float = _SETTLE_SECONDS
    ) -> None:
        self._means = means
        self._seconds = seconds
        self._settle_seconds = settle_seconds
        self._stir = Stir()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_LANES)
        self._sending: set[int] = set()
        self._is_ending = False

    async def run(self) -> None:
        """Send until cancelled; what is cut off then is sent again by the next server."""
        unsubscribe = signals.subscribe(self._on_happening)
        try:
            while True:
                try:
                    await self.look()
                    pause = await self._pause()
                except (HiveError, DriverError) as error:
                    logger.error("the outbox cannot be looked at", reason=str(error))
                    pause = _LONGEST_WAIT
                # what has one cause comes within a moment, and is one message
                await self._stir.wait(pause, settle=self._settle_seconds)
        finally:
            unsubscribe()
            await self._end()

    async def _end(self) -> None:
        """Let current deliveries end, for a moment: what is cut off has to be sent again."""
        self._is_ending = True
        tasks = list(self._lanes.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        for task in tasks:
            task.cancel()

    def _on_happening(self, happening: signals.Happening) -> None:
        if isinstance(happening, signals.DeliveriesWaiting):
            self._stir.set()

    async def _pause(self) -> float:
        at = await deliveries.next_at()
        if at is None:
            return _LOOK_EVERY
        return min(max((at - clock.now()).total_seconds(), 0.2), _LONGEST_WAIT)

    async def look(self) -> list[asyncio.Task[None]]:
        """Start to send what is due in lanes that are free; their tasks."""
        by_lane: dict[Lane, list[Delivery]] = {}
        for row in await deliveries.due(self._lanes, self._sending):
            by_lane.setdefault(deliveries.lane_of_row(row), []).append(row)
        begun = []
        for lane, rows in by_lane.items():
            if lane not in self._lanes:
                task = self._lanes[lane] = spawn(self._send_all(lane, rows), name="deliver")
                begun.append(task)
        return begun

    async def _send_all(self, lane: Lane, rows: list[Delivery]) -> None:
        """Send one after the other, until the channel fails."""
        try:
            for row in rows:
                async with self._room:
                    if self._is_ending:
                        return
                    self._sending.add(row.id)
                    try:
                        if not await self._send(row):
                            return
                    finally:
                        self._sending.discard(row.id)
        except (HiveError, DriverError) as error:
            logger.error("a delivery could not be noted", reason=str(error))
        finally:
            del self._lanes[lane]
            self._stir.set()

    async def _send(self, row: Delivery) -> bool:
        """Whether what comes after it may be sent."""
        kind = row.channel_kind
        channel = None
        if not await deliveries.is_wanted(row):
            await deliveries.drop(row, "Its user was disabled.")
            return True
        if kind != OWN_MAIL:
            channel = await Channel.get_or_none(id=row.channel_id or 0)
            if channel is None or not channel.enabled:
                await deliveries.drop(row, say("The channel was deleted or disabled."))
                return True
        if not await deliveries.claim(row):
            return True
        begun = time.monotonic()
        try:
            address = await deliveries.address_of(row) if channel is None else ""
            settings = sending.own_mail(address) if channel is None else settings_of(channel)
            message = await messages.of(row, settings)
            async with asyncio.timeout(self._seconds):
                answer = await sending.send(kind, settings, message, self._means)
        except sending.CHANNEL_ERRORS as error:
            failure = _failure(error)
            goes_on = await deliveries.note_failed(row, failure, time.monotonic() - begun)
            logger.warning("not delivered", channel=row.channel_name, reason=failure.answer)
            await failing.after_failure(row, failure)
            return goes_on
        if await deliveries.note_sent(row, answer, time.monotonic() - begun):
            await failing.report(deliveries.lane_of_row(row))
        return True


def _failure(error: Exception) -> Failure:
    told = sending.explained(error)
    # what only waits for an administrator to allow it is kept
    is_permanent = told.permanent and told.address is None
    return Failure(told.message, is_permanent, told.retry_after, told.address)
