"""The last restore that was seen: the newest session that read the content of archives.

To the server, listing, mounting, comparing and restoring archives look the same: the client reads
objects and cannot be told what for. How much was read says more than that it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.borg.observed import Observed
from hive.kinds import EndReason, Operation
from hive.models import Session

_READING = (Operation.READ, Operation.EXPORT)
_AS_FAR_BACK = timedelta(days=365)
_LOOKED_AT = 20  # sessions; those that read only the list of archives are passed over


@dataclass(frozen=True, kw_only=True)
class RestoreSeen:
    """A session that read data. `bytes_out`: what went to the client, the protocol included."""

    session_id: int
    at: datetime
    key: str
    bytes_out: int
    is_export: bool  # by rsync: the whole repository, or what was still missing of it


async def last_restore(repository_id: int, *, least_reads: int = 1) -> RestoreSeen | None:
    """For who may see the repository; None where none was seen within a year.

    `least_reads`: objects that must have been read. An archive's description is one, the list of
    its files the next, and the content of files comes after that.
    """
    rows = Session.filter(
        repository_id=repository_id,
        operation__in=[str(one) for one in _READING],
        started_at__gte=clock.now() - _AS_FAR_BACK,
        ended_at__isnull=False,
        end_reason__in=[EndReason.DONE, EndReason.CLIENT_GONE],
    )
    for row in await rows.order_by("-id").limit(_LOOKED_AT):
        if row.operation == Operation.EXPORT or _read_objects(row, least_reads):
            return RestoreSeen(
                session_id=row.id,
                at=row.started_at,
                key=row.key_name,
                bytes_out=row.bytes_out or 0,
                is_export=row.operation == Operation.EXPORT,
            )
    return None


def _read_objects(row: Session, least: int) -> bool:
    """Whether more was read than the list of archives; yes where that was not kept."""
    observed = Observed.of(row.observed)
    return observed is None or observed.reads is None or observed.reads >= least
