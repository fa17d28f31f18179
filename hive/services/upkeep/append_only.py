"""What append-only keys have deleted and a compaction would make final."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.borg.deletion import may_have_deleted
from hive.borg.observed import Observed
from hive.formats import format_size
from hive.kinds import Access, Need
from hive.models import Inspection, Session

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """A session of an append-only key that deleted something, or that nobody could watch."""

    session_id: int
    at: datetime
    key: str
    operation: str
    removed_bytes: int | None

    @property
    def in_words(self) -> str:
        how_much = "" if self.removed_bytes is None else f", {format_size(self.removed_bytes)}"
        return (
            f"session {self.session_id} of {clock.rfc3339(self.at)}, key {self.key},"
            f" {self.operation}{how_much}"
        )


async def deletions(repository_id: int) -> list[Deletion]:
    """Those since the last compaction, oldest first; for who may see the repository."""
    inspection = await Inspection.get_or_none(repository_id=repository_id)
    query = Session.filter(
        repository_id=repository_id, access=Access.APPEND_ONLY, need=Need.BORG, undone_at=None
    ).exclude(ended_at=None)
    if inspection is not None and inspection.compacted_at is not None:
        query = query.filter(ended_at__gt=inspection.compacted_at)
    return [
        Deletion(
            session_id=row.id,
            at=row.started_at,
            key=row.key_name,
            operation=row.operation or "not watched",
            removed_bytes=row.bytes_removed,
        )
        for row in await query.order_by("id")
        if may_have_deleted(row.operation, row.bytes_removed, Observed.of(row.observed))
    ]


def in_words(found: Sequence[Deletion]) -> str:
    """Why a compaction is refused, and what would let it pass."""
    shown = "; ".join(deletion.in_words for deletion in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        "Keys that may only append have deleted since the last compaction, which would make it"
        f" final: {shown}{more}. Where that was meant, an administrator confirms the compaction."
    )
