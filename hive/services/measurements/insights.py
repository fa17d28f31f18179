"""What is known of a repository from outside: measurements, locks, and when it is full."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime

from hive import clock
from hive.models import Inspection
from hive.services.repositories import locks as stale_locks
from hive.services.repositories.infos import RepositoryInfo
from hive.services.repositories.locks import LockInfo
from hive.services.storage import disks, forecast


@dataclass(frozen=True)
class Insight:
    """What is known about a repository from outside; None for what is not known."""

    measured_at: datetime | None
    problem: str | None
    kind: str | None
    version: int | None
    borg_id: str | None
    encryption: str | None
    append_only: bool | None
    transaction: int | None
    size_bytes: int | None
    live_bytes: int | None
    reclaimable_bytes: int | None
    growth_bytes_per_week: int | None
    quota_full_on: date | None
    disk_full_on: date | None
    checked_at: datetime | None  # of the last whole check
    check_error: str | None  # what that found
    compacted_at: datetime | None
    locks: tuple[LockInfo, ...]


async def insight_of(info: RepositoryInfo) -> Insight:
    """What was measured last, with the locks of this moment; for who may see the repository."""
    row = await Inspection.get_or_none(repository_id=info.id) or Inspection()
    locks = await asyncio.to_thread(stale_locks.look, info.path)
    now = clock.now()
    quota_full_on = None
    used, quota = row.quota_use_bytes, info.quota_bytes
    if quota is not None and used is not None and used < quota:
        quota_full_on = forecast.full_on(used, quota, row.growth_bytes_per_week, now)
    return Insight(
        measured_at=row.at,
        problem=row.problem,
        kind=row.kind,
        version=row.version,
        borg_id=row.borg_id,
        encryption=row.encryption,
        append_only=row.append_only,
        transaction=row.transaction,
        size_bytes=row.size_bytes,
        live_bytes=row.live_bytes,
        reclaimable_bytes=row.reclaimable_bytes,
        growth_bytes_per_week=row.growth_bytes_per_week,
        quota_full_on=quota_full_on,
        disk_full_on=await disks.full_on(info.location),
        checked_at=row.checked_at,
        check_error=row.check_error,
        compacted_at=row.compacted_at,
        locks=tuple(locks),
    )
