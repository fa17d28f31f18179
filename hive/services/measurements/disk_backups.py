"""The last backup of what came into a repository past the gate: copied, restored, or written there.

What the disk proves counts: the archives in a manifest that can be read, and that an older copy is
in place. Of encrypted archives it proves nothing: what may have been a backup is shown as that, and
no schedule is kept by it.
"""

from __future__ import annotations

from datetime import datetime

from hive import clock
from hive.borg.facts import RepositoryFacts
from hive.borg.last_backup import DiskBackup
from hive.database import transactional
from hive.kinds import ArchiveCreated, EventKind
from hive.models import Inspection, Repository, Session
from hive.sentences import say
from hive.services import events
from hive.services.health import review
from hive.services.sessions import rollback_records

_DESCRIPTION_BYTES = 2048  # by which renaming an archive or changing its comment adds at most


@transactional
async def note_arrival(repository_id: int, disk: DiskBackup, transaction: int | None) -> None:
    """A repository was found where none was: adopted, copied into place, or back again."""
    row = await Repository.get(id=repository_id)
    made = Session.filter(
        repository_id=repository_id, archive_created=ArchiveCreated.YES, undone_at=None
    )
    newest = await made.order_by("-ended_at").first()
    if newest is not None and _is_behind(newest.transaction_after, transaction):
        await _go_back(repository_id, transaction or 0, disk.at)
        return
    at = _not_ahead(disk.at)
    is_older = row.last_backup_at is not None and (at is None or at < row.last_backup_at)
    if newest is None and is_older:
        await review.correct_backup(repository_id, at, is_estimated=True)
    elif at is not None and (newest is None or disk.is_proven):
        await review.note_backup(repository_id, at, is_estimated=True)


@transactional
async def note_change(
    repository_id: int,
    before: Inspection,
    found: RepositoryFacts,
    disk: DiskBackup,
    *,
    is_local: bool,
) -> None:
    """The repository is not as it was measured last, and no session did that."""
    is_same = before.borg_id is not None and before.borg_id == found.id
    if is_same and _is_behind(before.transaction, found.transaction):
        await _go_back(repository_id, found.transaction or 0, disk.at)
    elif disk.is_proven:
        at = _not_ahead(disk.at)
        if at is not None:
            await review.note_backup(repository_id, at, is_estimated=True)
    elif is_local and may_be_backup(before, found):
        await Repository.filter(id=repository_id).update(maybe_backup_at=clock.now())
        await events.record(
            repository_id,
            EventKind.MAYBE_BACKUP,
            say(
                "What was written on the server may have been a backup. It does not count as one:"
                " the archives are encrypted, so that the server cannot tell."
            ),
            origin="local",
        )


def may_be_backup(before: Inspection, found: RepositoryFacts) -> bool:
    """Whether there is more than before, beyond what a new name or comment takes. Pure.

    Those put one description in the place of another: the number of objects stays as it was. An
    archive is at least one more. Copying one (recreate) looks like a backup.
    """
    if before.live_bytes is None or found.live_bytes is None:
        return False
    more = 0 if before.objects is None or found.objects is None else found.objects - before.objects
    return bool(more > 0 or found.live_bytes - before.live_bytes >= _DESCRIPTION_BYTES)


def _is_behind(known: int | None, now: int | None) -> bool:
    return known is not None and now is not None and now < known


async def _go_back(repository_id: int, transaction: int, at: datetime | None) -> None:
    """An older state is in place: what came behind it is gone, backups included."""
    await rollback_records.mark_undone(repository_id, transaction, clock.now())
    await Repository.filter(id=repository_id).update(maybe_backup_at=None)
    await rollback_records.correct_last_backup(repository_id, _not_ahead(at))


def _not_ahead(at: datetime | None) -> datetime | None:
    return None if at is None else min(at, clock.now())
