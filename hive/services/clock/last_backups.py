"""The last backup, where its time can be believed: a clock that was ahead leaves one to come."""

from __future__ import annotations

from datetime import datetime, timedelta

from hive import clock
from hive.models import Repository
from hive.services.checks import Check

_SLIGHTLY = timedelta(seconds=60)  # a clock is corrected by, without anybody noticing
_MOST_NAMES = 5


def known(row: Repository) -> datetime | None:
    """When the last backup that is still there was made; None where none was, or not yet."""
    at: datetime | None = row.last_backup_at
    now = clock.now()
    if at is None or (row.emptied_at is not None and at <= row.emptied_at):
        return None
    if at <= now:
        return at
    return now if at - now <= _SLIGHTLY else None


async def findings() -> list[Check]:
    """What `hive doctor` says of backups that were made while the clock was ahead."""
    ahead = Repository.filter(last_backup_at__gt=clock.now() + _SLIGHTLY, deleted_at=None)
    count = await ahead.count()
    if not count:
        return []
    names = await ahead.order_by("name").limit(_MOST_NAMES).values_list("name", flat=True)
    listed = ", ".join(str(name) for name in names)
    message = (
        f"The time of the last backup lies in the future for {count} repositories ({listed}):"
        " the clock was ahead when it was made, so it counts as not known"
    )
    return [Check("warning", "Clock", message, "The next backup corrects it.")]
