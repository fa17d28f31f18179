"""Looks at the storage of all locations again and again, and does what follows from it.

One alarm for a location that is away; when it is back, what a killed server left there is put in
order, everything is measured, and missing backups have their grace from then on.
"""

from __future__ import annotations

import asyncio

from hive import clock, log, signals
from hive.background import spawn
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.kinds import EventKind
from hive.models import Location, Repository
from hive.sentences import say
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.health import review
from hive.services.measurements import statistics
from hive.services.server import recovery
from hive.services.storage import places
from hive.services.storage.places import Absence, Away
from hive.waiting import Stir

logger = log.get(__name__)

UNKNOWN = "Storage unavailable"

_INTERVAL = 10.0  # seconds
_PAUSE = 0.2  # after something stirs: others look at the same moment


class StorageWatch:
    """One for a server; `begin` before anything touches a storage root."""

    def __init__(self, *, interval: float = _INTERVAL) -> None:
        self._interval = interval
        self._stir = Stir()
        self._reported: set[int] = set()

    async def begin(self) -> None:
        """Look for the first time."""
        await self._look_around(is_start=True)

    async def run(self) -> None:
        """Look until cancelled."""
        unlisten = places.listen(self._stir.set)
        unsubscribe = signals.subscribe(self._on_happening)
        try:
            while True:
                await self._stir.wait(self._interval, settle=_PAUSE)
                await self._look_around()
        finally:
            unsubscribe()
            unlisten()

    def _on_happening(self, happening: signals.Happening) -> None:
        if isinstance(happening, signals.StorageChanged):
            self._stir.set()

    async def _look_around(self, *, is_start: bool = False) -> None:
        try:
            rows = await Location.all()
            await asyncio.gather(*(self._look(row, is_start=is_start) for row in rows))
            await self._forget(self._reported - {row.id for row in rows})
        except (HiveError, DriverError) as error:
            logger.error("the storage cannot be looked at", reason=str(error))

    async def _look(self, row: Location, *, is_start: bool) -> None:
        away = await places.look(row, max_age=1.0)
        self._reported.add(row.id)
        await server_alarms.report(_subject(row.id), trouble(row.id, away))
        if away is not None and row.away_since is None:
            await _note_away(row.id)
            if away.kind == Absence.FOREIGN:
                reason = say("the storage is used by another installation")
                signals.tell(signals.RightsChanged(reason))
        elif away is None and row.away_since is not None:
            await _note_back(row.id)
            if not is_start:  # then all this is done anyway
                await recovery.recover_location(row.id)
                spawn(_measure(row.id), name="measure what is back")
            signals.tell(signals.StorageChanged(row.id))

    async def _forget(self, location_ids: set[int]) -> None:
        for location_id in location_ids:
            places.forget(location_id)
            self._reported.discard(location_id)
            await server_alarms.report(_subject(location_id), None)


def _subject(location_id: int) -> str:
    return f"location:{location_id}"


def trouble(location_id: int, away: Away | None) -> Trouble | None:
    """What administrators are notified of."""
    if away is None:
        return None
    return Trouble(
        EventKind.STORAGE_UNAVAILABLE,
        title=say("Storage of %(location)s unavailable", location=away.name),
        message=say("%(problem)s Sessions of its repositories are refused.", problem=away.message),
        remedy=away.remedy,
        unknown=UNKNOWN,
        location_id=location_id,
    )


@transactional
async def _note_away(location_id: int) -> None:
    await Location.filter(id=location_id, away_since=None).update(away_since=clock.now())


@transactional
async def _note_back(location_id: int) -> None:
    await Location.filter(id=location_id).update(away_since=None, returned_at=clock.now())
    await review.storage_returned(location_id)


async def _measure(location_id: int) -> None:
    rows = Repository.filter(location_id=location_id, deleted_at=None)
    for repository_id in await rows.values_list("id", flat=True):
        try:
            await statistics.measure(int(repository_id))  # type: ignore[call-overload]  # values_list is untyped
        except (HiveError, DriverError) as error:
            logger.error("not measured", repository=repository_id, reason=str(error))
