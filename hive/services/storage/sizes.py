"""How large repositories were, as it was measured, and by how much they have changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from hive import clock, sql
from hive.models import Repository, Statistic
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
    rows = Repository.filter(id__in=sql.ids(repository_ids)).annotate(
        change=sql.change(now - WINDOW, since, now)
    )
    return {
        row["id"]: row["change"]
        for row in await rows.values("id", "change")
        if row["change"] is not None
    }
