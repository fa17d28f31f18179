"""What sessions did to the log of a borg 1 repository, for a later rollback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import F, Q

from hive.borg.repository import Snapshot
from hive.kinds import ArchiveCreated, EventKind, Need, Operation
from hive.models import Event, Repository, Session
from hive.services.health import review

_MOST = 2000
_FIELDS = (
    *("id", "key_name", "access", "operation", "started_at", "ended_at"),
    *("transaction_before", "transaction_after", "objects_after"),
)


@dataclass(frozen=True)
class Written:
    """A session that wrote: it began behind transaction `before`, and ended with `after`."""

    session_id: int
    key: str
    access: str
    operation: str | None
    started_at: datetime
    ended_at: datetime
    before: int
    after: int
    objects: int | None


def note(session: Session, before: Snapshot | None, after: Snapshot | None) -> None:
    """Keep the transactions of a session that ends; the caller saves the row."""
    session.transaction_before = before.transaction if before is not None else None
    session.transaction_after = after.transaction if after is not None else None
    session.objects_after = after.objects if after is not None else None


async def written(repository_id: int, also: int | None = None) -> list[Written]:
    """The newest sessions that wrote to what is in the repository now, the oldest of them first.

    `also`: the one that ended with this transaction, however old it is.
    """
    these = Session.filter(await _of_this_content(repository_id)).exclude(ended_at=None)
    wrote = these.filter(
        Q(transaction_before=None) | Q(transaction_after__gt=F("transaction_before")),
        transaction_after__not_isnull=True,
    )
    rows = await wrote.order_by("-id").limit(_MOST).values(*_FIELDS)
    if also is not None and all(row["transaction_after"] != also for row in rows):
        rows += await wrote.filter(transaction_after=also).order_by("-id").limit(1).values(*_FIELDS)
    return [_written(row) for row in reversed(rows)]


async def without_transactions(repository_id: int) -> list[Written]:
    """Sessions of which only the time is known: they ended before transactions were kept."""
    rows = Session.filter(await _of_this_content(repository_id), transaction_after=None)
    found = await rows.exclude(ended_at=None).order_by("-id").limit(_MOST).values(*_FIELDS)
    return sorted((_written(row) for row in found), key=lambda one: one.started_at)


def _written(row: dict[str, Any]) -> Written:
    return Written(
        session_id=row["id"],
        key=row["key_name"],
        access=row["access"],
        operation=row["operation"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        before=-1 if row["transaction_before"] is None else row["transaction_before"],
        after=-1 if row["transaction_after"] is None else row["transaction_after"],
        objects=row["objects_after"],
    )


def counts(sessions: Sequence[Written]) -> dict[int, int]:
    """How many objects each transaction has, as it was when it was the newest."""
    return {one.after: one.objects for one in sessions if one.objects is not None}


async def _of_this_content(repository_id: int) -> Q:
    """Sessions since the repository was made, imported or replaced, without those undone."""
    since = Q(repository_id=repository_id, need=Need.BORG, undone_at=None)
    new = (Operation.INIT, Operation.DELETE_REPOSITORY)
    made = Session.filter(repository_id=repository_id, operation__in=[str(one) for one in new])
    newest = await made.order_by("-id").first()
    if newest is not None:
        since &= Q(id__gte=newest.id)
    brought = Event.filter(repository_id=repository_id, kind=EventKind.IMPORT_VERIFIED)
    imported = await brought.order_by("-id").first()
    if imported is not None:
        since &= Q(started_at__gte=imported.at)
    return since


async def mark_undone(repository_id: int, transaction: int, at: datetime) -> None:
    """What came behind the transaction never was; call in the transaction that says so."""
    rows = Session.filter(await _of_this_content(repository_id), transaction_after__gt=transaction)
    await rows.update(undone_at=at)


async def mark_back(repository_id: int, at: datetime) -> None:
    """What a rollback of that time had undone is there again."""
    await Session.filter(repository_id=repository_id, undone_at=at).update(undone_at=None)


async def correct_last_backup(repository_id: int, state_at: datetime | None = None) -> None:
    """The last backup is the newest that is still there; else the restored state tells."""
    made = Session.filter(
        repository_id=repository_id, archive_created=ArchiveCreated.YES, undone_at=None
    )
    newest = await made.order_by("-ended_at").first()
    row = await Repository.get(id=repository_id)
    if newest is not None:
        await review.correct_backup(repository_id, newest.ended_at, is_estimated=False)
    elif row.last_backup_at is not None and state_at is not None and row.last_backup_at > state_at:
        await review.correct_backup(repository_id, state_at, is_estimated=True)
