"""How large repositories were, as it was measured, and by how much they have changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from tortoise.functions import Max

from hive import clock, sql
from hive.models import Statistic
from hive.services.storage.forecast import Point

WINDOW = timedelta(days=30)  # a size that was measured earlier says nothing of a change since then


async def points(repository_id: int, *, since: datetime) -> list[Point]:
    """What was measured of one repository since then, oldest first."""
    rows = (
        await Statistic.filter(repository_id=repository_id, at__gte=since)
        .order_by("at", "id")
        .values("at", "size_bytes")
    )
    return [Point(row["at"], row["size_bytes"]) for row in rows]


async def changes(repository_ids: Collection[int], since: datetime) -> dict[int, int]:
    """By how many bytes repositories have changed since then, as far as that is known.

    What counts is the last size that was known at that time, so that nothing is lost that came in
    before the first measurement after it: one that was not measured before has no change.
    """
    now = clock.now()
    begin = await _newest(repository_ids, now - WINDOW, since)
    end = await _newest(repository_ids, now - WINDOW, now)
    return {one: end[one] - size for one, size in begin.items()}


async def _newest(
    repository_ids: Collection[int], since: datetime, until: datetime
) -> dict[int, int]:
    measured = Statistic.filter(
        repository_id__in=sql.ids(repository_ids), at__gte=since, at__lte=until
    )
    newest = await measured.annotate(newest=Max("id")).group_by("repository_id").values("newest")
    rows = Statistic.filter(id__in=sql.ids(row["newest"] for row in newest))
    return {
        row["repository_id"]: row["size_bytes"]
        for row in await rows.values("repository_id", "size_bytes")
    }
