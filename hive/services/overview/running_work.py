"""Long work on one repository, that runs or that is wanted: how far it is and why it pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import long_work
from hive.kinds import UpkeepState
from hive.long_work import WorkInfo, WorkKind
from hive.sentences import say
from hive.services import runtime
from hive.services.upkeep import queue
from hive.services.upkeep.queue import UpkeepInfo


@dataclass(frozen=True, kw_only=True)
class ShownWork:
    """One work.

    progress  None where nothing is known of it: it has not begun, or another process is at it
    since     when it began, or was asked for
    why       why it does not go on just now, in a sentence; empty while it runs
    """

    repository_id: int
    kind: WorkKind
    is_running: bool
    has_begun: bool
    progress: WorkInfo | None
    since: datetime
    asked_by: str | None
    gives_way: bool  # it pauses when a session comes
    why: str

    @property
    def id(self) -> str:
        """What its figures are found by on a page."""
        return f"{self.repository_id}-{self.kind}"


async def shown_works(repository_id: int, upkeeps: Sequence[UpkeepInfo]) -> list[ShownWork]:
    """For who may see the repository; `upkeeps`: its newest."""
    known = {one.kind: one for one in long_work.of(repository_id)}
    found = []
    for upkeep in upkeeps:
        if upkeep.is_open:
            kind = WorkKind(upkeep.kind)
            found.append(await _of_upkeep(upkeep, kind, known.pop(kind, None)))
    found += [
        ShownWork(
            repository_id=repository_id,
            kind=one.kind,
            is_running=True,
            has_begun=True,
            progress=one,
            since=one.begun_at,
            asked_by=None,
            gives_way=False,
            why="",
        )
        for one in known.values()
        if one.is_running
    ]
    return found


async def _of_upkeep(upkeep: UpkeepInfo, kind: WorkKind, progress: WorkInfo | None) -> ShownWork:
    is_running = upkeep.state == UpkeepState.RUNNING
    return ShownWork(
        repository_id=upkeep.repository_id,
        kind=kind,
        is_running=is_running,
        has_begun=upkeep.started_at is not None,
        progress=progress,
        since=upkeep.started_at or upkeep.created_at,
        asked_by=upkeep.asked_by,
        gives_way=True,
        why="" if is_running else await _why(upkeep),
    )


async def _why(upkeep: UpkeepInfo) -> str:
    if upkeep.state == UpkeepState.PAUSED:
        return say(
            "Its %(minutes)s minutes of today are used up: it continues tomorrow.",
            minutes=runtime.settings().upkeep.minutes_a_day,
        )
    return await queue.waits_for(upkeep)
