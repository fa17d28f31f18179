"""The disks that repositories lie on: how full they are, and when they will be."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hive import clock
from hive.models import Inspection, Location
from hive.services import forecast, storage


@dataclass(frozen=True)
class DiskInfo:
    """One storage root, by the names of the locations that lie there; not by its path."""

    locations: tuple[str, ...]
    used_bytes: int
    total_bytes: int
    full_on: date | None  # at the rate of all repositories there together

    @property
    def percent(self) -> int:
        return round(100 * self.used_bytes / self.total_bytes) if self.total_bytes else 0


async def disks(location_ids: Collection[int]) -> list[DiskInfo]:
    """The disks of these locations, the fullest first; one that cannot be reached is left out."""
    growth = await _growth()
    places: dict[Path, list[Location]] = {}
    for row in await Location.all().order_by("name"):
        places.setdefault(storage.root_of(row), []).append(row)
    found = []
    for root, rows in places.items():
        if not any(row.id in location_ids for row in rows):
            continue
        usage = await asyncio.to_thread(_usage, root)
        if usage is None:
            continue
        used, free = usage
        grows = sum(growth.get(row.id, 0) for row in rows)
        full_on = forecast.full_on(0, free, grows, clock.now())
        names = tuple(row.name for row in rows if row.id in location_ids)
        found.append(DiskInfo(names, used, used + free, full_on))
    return sorted(found, key=lambda one: -one.percent)


def _usage(root: Path) -> tuple[int, int] | None:
    """Bytes that are used, and that may still be written, as df has them. Blocking."""
    try:
        found = shutil.disk_usage(root)
    except OSError:
        return None
    return found.used, found.free


async def _growth() -> dict[int, int]:
    """Bytes a week of all repositories at each location, those that nobody asks for included."""
    rows = await Inspection.filter(
        repository__deleted_at=None, growth_bytes_per_week__not_isnull=True
    ).values("repository__location_id", "growth_bytes_per_week")
    total: dict[int, int] = {}
    for row in rows:
        location = row["repository__location_id"]
        total[location] = total.get(location, 0) + row["growth_bytes_per_week"]
    return total
