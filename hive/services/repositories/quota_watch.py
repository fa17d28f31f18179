"""Hold running sessions to their quotas.

What a session can have written since its repository was last measured is at most what arrived
from its client since then. As long as measured and arrived together stay below every quota,
nothing is done but to compare two numbers when data arrives. Else the sessions that count against
the quota wait while their repositories are measured, uncommitted data included; if that is too
much, no new data is taken from any of them.

rsync unpacks, and copies what the server has already, so that for imports the bytes that arrive
say little: those are measured again and again as well. borg 2 keeps a whole pack in memory before
it writes it: what arrived for it counts as written, whatever the disk says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from hive import log
from hive.background import spawn
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.services.repositories import quotas
from hive.services.repositories.quotas import Quota, QuotaReach, QuotaUse
from hive.services.storage import paths

logger = log.get(__name__)

SLACK = 1024 * 1024  # bytes above a quota: a small step is not worth looking at the disk
FAR_OVER = 64 * 1024 * 1024  # bytes
_LARGEST_STEP = 256 * 1024 * 1024
_LOOK_EVERY = 1.0  # seconds; at imports
_REST = 5.0  # times what a look took: the rest between two of them


class Metered(Protocol):
    """What the watch needs of a session."""

    @property
    def arrived(self) -> int:
        """Bytes that came from the client so far."""
        ...

    def ask_at(self, arrived: int) -> None:
        """Call the meter's `reached` when more than so much has arrived."""

    def wait(self) -> None:
        """Take nothing more from the client for now."""

    def go_on(self) -> None: ...

    def take_no_more(self, sentence: str) -> None:
        """Take no new data any more, and say why."""


@dataclass(eq=False)
class _Tally:
    """What is known of a repository while sessions run there."""

    reach: QuotaReach
    place: paths.Place
    measured: int | None = None  # None: nobody had to know yet
    is_buffered: bool = False  # the program may hold much in memory before it is on disk
    meters: set[Meter] = field(default_factory=set)
    gone: int = 0  # bytes of sessions that have ended since it was measured
    measuring: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def most(self) -> int:
        """At most so much is on disk."""
        arrived = sum(one.session.arrived - one.counted_from for one in self.meters)
        return (self.measured or 0) + self.gone + arrived


class Meter:
    """One session's place at the watch."""

    def __init__(self, watch: QuotaWatch, tally: _Tally, session: Metered) -> None:
        self.session = session
        self.tally = tally
        self.counted_from = session.arrived
        self.is_refused = False
        self.looking: asyncio.Task[None] | None = None  # at the disk, while an import runs
        self._watch = watch

    @property
    def is_far_over(self) -> bool:
        """Whether so much is over that not even what frees something should be written."""
        return self._watch.is_far_over(self.tally)

    def reached(self) -> None:
        """More has arrived than was asked for."""
        self._watch.look(self)

    async def measure(self) -> None:
        """Measure what is on disk now, and refuse new data where that is too much."""
        await self._watch.measure(self)

    async def end(self) -> None:
        """The session has ended: what it left is measured and kept."""
        await self._watch.end(self)


class QuotaWatch:
    """One for each gate."""

    def __init__(self) -> None:
        self._tallies: dict[int, _Tally] = {}
        self._others: dict[Quota, int] = {}

    # sessions come and go

    async def begin(
        self,
        repository_id: int,
        place: paths.Place,
        session: Metered,
        *,
        is_import: bool,
        is_buffered: bool,
    ) -> Meter:
        """Watch a session that may write; report at once if it may take no new data."""
        opened = _Tally(await quotas.reach_of(repository_id), place, is_buffered=is_buffered)
        tally = self._tallies.setdefault(repository_id, opened)
        tally.reach = opened.reach
        meter = Meter(self, tally, session)
        tally.meters.add(meter)
        try:
            await self._know_uses(tally)
            worst = self._worst(tally)
            if worst is not None and worst.is_used_up:
                await _measure(self._running_for(worst.quota))
                worst = self._worst(tally)
        except BaseException:
            self._forget(meter)
            raise
        if worst is not None and worst.is_used_up:
            self._refuse(meter, worst)
        self._set_step(meter)
        if is_import:
            meter.looking = spawn(self._look_again_and_again(meter), name="measure import")
        return meter

    async def end(self, meter: Meter) -> None:
        tally = meter.tally
        try:
            if tally.reach.quotas and not (tally.is_buffered and len(tally.meters) > 1):
                await _measure([tally], is_end=True)
        finally:
            self._forget(meter)

    def _forget(self, meter: Meter) -> None:
        tally = meter.tally
        if meter.looking is not None:
            meter.looking.cancel()
        tally.gone += meter.session.arrived - meter.counted_from
        tally.meters.discard(meter)
        if not tally.meters:
            self._tallies.pop(tally.reach.repository_id, None)

    # when data arrives

    def look(self, meter: Meter) -> None:
        """Set the next step, or have it measured: the session waits meanwhile."""
        worst = self._worst(meter.tally)
        if worst is not None and meter.is_refused:
            self._refuse(meter, worst)  # it goes on sending
            self._set_step(meter)
        elif worst is None or worst.used_bytes <= worst.quota.limit_bytes + SLACK:
            self._set_step(meter)
        else:
            meter.session.wait()
            spawn(self._decide(meter.tally), name="measure for a quota")

    def _set_step(self, meter: Meter) -> None:
        """Ask again after half of what is left, shared by all sessions that could use it."""
        worst = self._worst(meter.tally)
        if worst is None:
            meter.session.ask_at(2**63)
            return
        left = worst.quota.limit_bytes + SLACK - worst.used_bytes
        sharing = sum(len(one.meters) for one in self._running_for(worst.quota))
        step = min(_LARGEST_STEP, max(left // (2 * max(1, sharing)), SLACK // 4))
        meter.session.ask_at(meter.session.arrived + step)

    def is_far_over(self, tally: _Tally) -> bool:
        worst = self._worst(tally)
        return worst is not None and worst.used_bytes > worst.quota.limit_bytes + FAR_OVER

    def _refuse(self, meter: Meter, use: QuotaUse) -> None:
        meter.is_refused = True
        meter.session.take_no_more(use.quota.refusal(use.used_bytes))

    def _worst(self, tally: _Tally) -> QuotaUse | None:
        """The quota that has the least left, by what is known without looking at the disk."""
        found = [QuotaUse(quota, self._most_of(quota)) for quota in tally.reach.quotas]
        return min(found, key=lambda one: one.quota.limit_bytes - one.used_bytes, default=None)

    def _most_of(self, quota: Quota) -> int:
        running = sum(one.most for one in self._running_for(quota))
        return running + self._others.get(quota, 0)

    def _running_for(self, quota: Quota) -> list[_Tally]:
        """The repositories with running sessions that count against the quota."""
        return [one for one in self._tallies.values() if one.reach.counts_for(quota)]

    # when it has to be known

    async def measure(self, meter: Meter) -> None:
        if meter.tally.reach.quotas:
            await _measure([meter.tally])
            await self._decide(meter.tally)

    async def _decide(self, tally: _Tally) -> None:
        """Measure what could be too much; refuse new data, or let the sessions go on."""
        try:
            await self._know(tally)
            for quota in tally.reach.quotas:
                await self._decide_on(quota)
        except (HiveError, DriverError, OSError) as error:
            logger.error("a quota cannot be held", reason=str(error))
        finally:
            for meter in tuple(tally.meters):
                self._set_step(meter)
                meter.session.go_on()

    async def _decide_on(self, quota: Quota) -> None:
        if self._most_of(quota) <= quota.limit_bytes + SLACK:
            return
        await _measure(self._running_for(quota))
        use = QuotaUse(quota, self._most_of(quota))
        if use.used_bytes <= quota.limit_bytes:
            return
        for tally in self._running_for(quota):
            for meter in tuple(tally.meters):
                self._refuse(meter, use)

    async def _know(self, tally: _Tally) -> None:
        """Read which quotas hold now, and how much is used without what arrives."""
        tally.reach = await quotas.reach_of(tally.reach.repository_id)
        await self._know_uses(tally)

    async def _know_uses(self, tally: _Tally) -> None:
        for quota in tally.reach.quotas:
            running = self._running_for(quota)
            for one in running:
                if one.measured is None:
                    one.measured = await quotas.known(one.reach.repository_id)
            await _measure([one for one in running if one.measured is None])
            besides = [one.reach.repository_id for one in running]
            self._others[quota] = await quotas.used(quota, besides=besides)

    async def quotas_changed(self) -> None:
        """Hold all running sessions to the quotas of now."""
        self._others.clear()
        for tally in tuple(self._tallies.values()):
            await self._decide(tally)

    async def _look_again_and_again(self, meter: Meter) -> None:
        tally, pause = meter.tally, _LOOK_EVERY
        while meter in tally.meters and not meter.is_refused:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            try:
                await self.measure(meter)
            except (HiveError, DriverError, OSError) as error:
                logger.error("an import cannot be measured", reason=str(error))
            pause = max(_LOOK_EVERY, _REST * (time.monotonic() - begun))


async def _measure(tallies: Iterable[_Tally], *, is_end: bool = False) -> None:
    for one in tallies:
        if one.is_buffered and not is_end and one.most > (one.measured or 0):
            continue
        async with one.measuring:
            # What arrives while it is measured counts as not measured.
            before = {meter: meter.session.arrived for meter in one.meters}
            gone = one.gone
            measured = await quotas.occupied(one.reach.repository_id, one.place)
            one.measured = measured
            one.gone -= gone
            for meter, arrived in before.items():
                meter.counted_from = arrived
