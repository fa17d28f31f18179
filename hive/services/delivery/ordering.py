"""In which order one channel sends what waits for it. Pure.

Critical messages go first. Of one repository, messages of one severity keep their order, and the
end of a problem keeps its place before the next problem. A channel that fails is tried with one
message at a time, each time with one that was tried least often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive.kinds import Severity
from hive.services.outbox.condition import ChannelCondition, Lane, lane_of

AT_ONCE = 20  # of one channel, before it is looked at again

_RANKS = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.RECOVERY: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class Waiting:
    """One delivery that waits; `next_at` is ahead where it waits on its own."""

    id: int
    channel_id: int | None
    next_at: datetime
    attempts: int
    user_id: int
    repository_id: int | None
    severity: Severity
    channel_kind: str = ""
    created_at: datetime | None = None
    held: str = ""
    kind: str = ""
    key: str = ""

    @property
    def lane(self) -> Lane:
        return lane_of(self.channel_id, self.user_id)


def choose(rows: Sequence[Waiting], known: ChannelCondition, now: datetime) -> list[int]:
    """What is sent next of one channel's rows, given by id."""
    if known.next_try is not None and known.next_try > now:
        return []
    ranks = _ranks(rows)
    apart = {row.repository_id for row in rows if row.next_at > now}
    ready = [
        row
        for row in rows
        if row.next_at <= now
        # the end of a problem does not overtake the problem
        and not (row.severity == Severity.RECOVERY and row.repository_id in apart)
    ]
    if known.next_try is None:
        return [row.id for row in sorted(ready, key=lambda row: (ranks[row.id], row.id))][:AT_ONCE]
    tries = _tries(ready, ranks)
    first = sorted(ready, key=lambda row: (tries[row.id], ranks[row.id], row.id))
    return [row.id for row in first[:1]]


def _ranks(rows: Sequence[Waiting]) -> dict[int, int]:
    newest: dict[int | None, int] = {}
    for row in rows:
        if row.severity == Severity.CRITICAL:
            newest[row.repository_id] = row.id
    return {
        row.id: 0
        if row.severity == Severity.RECOVERY and row.id < newest.get(row.repository_id, 0)
        else _RANKS[row.severity]
        for row in rows
    }


def _tries(rows: Sequence[Waiting], ranks: dict[int, int]) -> dict[int, int]:
    """How often each was tried; at least as often as what must come before it."""
    most: dict[tuple[int | None, int], int] = {}
    found: dict[int, int] = {}
    for row in rows:
        group = row.repository_id, ranks[row.id]
        found[row.id] = most[group] = max(row.attempts, most.get(group, 0))
    return found
