"""Backups that stay missing: each time that one would be due again is kept for the strips of days.

When that is stands in the repository's row (`missing_at`), so that a look at all is one query.
"""

from __future__ import annotations

from hive import clock
from hive.database import transactional
from hive.errors import InvalidInput
from hive.models import Repository
from hive.services.clock import trust
from hive.services.health import days, review
from hive.services.outbox import downtimes


async def note_missing() -> int:
    """Keep what was due and is still missing; of how many repositories."""
    due = Repository.filter(missing_at__lte=clock.now(), deleted_at=None)
    ids = [row["id"] for row in await due.values("id")]
    if not ids or not await trust.is_trusted():
        return 0
    for repository_id in ids:
        await _note(repository_id)
    return len(ids)


@transactional
async def _note(repository_id: int) -> None:
    row = await Repository.get(id=repository_id)
    now, due_at, at = clock.now(), row.due_at, row.missing_at
    if due_at is None or at is None or row.health not in review.TROUBLES:
        await Repository.filter(id=repository_id).update(missing_at=None)
        return
    off = await downtimes.spans()
    try:
        schedule = review.schedule_of(row)
        while at is not None and at <= now:
            # while the server was off nothing could come, so nothing is missing
            if not any(begun_at <= at <= ended_at for begun_at, ended_at in off):
                await days.note_due(repository_id, at)
            at = days.due_again(schedule, due_at, at)
    except InvalidInput:
        at = None
    await Repository.filter(id=repository_id).update(missing_at=at)
