"""What the first tab of a repository shows, asked for with one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from hive import clock
from hive.kinds import ArchiveCreated, Mode, RepositoryState
from hive.services.alarms import answers
from hive.services.alarms.alarms import AlarmInfo
from hive.services.health import strips
from hive.services.health.states import Condition
from hive.services.health.strips import Strip
from hive.services.measurements import insights, trends
from hive.services.notifications import reach
from hive.services.overview import occupancy, running_work
from hive.services.overview.details import Details
from hive.services.overview.repository_head import Head, find_head
from hive.services.overview.running_work import ShownWork
from hive.services.permissions import Actor
from hive.services.sessions import infos as session_infos
from hive.services.sessions import progress, restores
from hive.services.sessions.infos import SessionInfo
from hive.services.sessions.restores import RestoreSeen
from hive.services.sessions.verdicts import SessionVerdict, verdict_of
from hive.services.upkeep import append_only
from hive.services.upkeep import queue as upkeeps

_SESSIONS = 6
_LOOKED_AT = 20  # sessions, to tell how far the repository is on its way to the first backup
_UPKEEPS = 3
_ANSWERED = 5
_FRESH = timedelta(hours=6)  # for so long the first backup is news
_STRIP = timedelta(days=strips.PAGE + 1)


class Arrival(StrEnum):
    """How far a repository is on its way to the first backup."""

    WAITING = "waiting"  # nobody was there yet
    CONNECTED = "connected"
    BACKED_UP = "backed up"  # just now, for the first time


@dataclass(frozen=True, kw_only=True)
class RepositoryViewQuery:
    """What to show.

    sizes_since  the beginning of the history of sizes; None: all of it
    zone         of the days; None: UTC
    """

    sizes_since: datetime | None = None
    zone: tzinfo | None = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is known of a repository's content.

    history   sizes and backups, at least those of the strip
    restore   the last session that read data; None where none is known
    works     what takes long, and runs or is wanted
    """

    insight: insights.Insight
    room: occupancy.Occupancy
    history: trends.History
    strip: Strip
    restore: RestoreSeen | None
    works: Sequence[ShownWork]
    upkeeps: Sequence[upkeeps.UpkeepInfo]
    deletions: Sequence[append_only.Deletion]


@dataclass(frozen=True, kw_only=True)
class RepositoryView:
    """One repository: how it is, and what happened lately.

    arrival          None where it was there long ago, or nothing is to come
    reach            who would be notified; None where it is in the trash
    sessions         the newest, with what came of each
    content          None where it is in the trash: nobody looks there
    """

    head: Head
    arrival: Arrival | None
    reach: reach.Reach | None
    answered_alarms: Sequence[AlarmInfo]
    sessions: Sequence[tuple[SessionInfo, SessionVerdict]]
    has_more_sessions: bool
    content: Content | None


async def repository_view(
    actor: Actor, repository_id: int, query: RepositoryViewQuery
) -> RepositoryView:
    """The repository as the actor may see it; NotFound where they may not."""
    head = await find_head(actor, repository_id)
    sessions = await session_infos.list_sessions(
        actor, repository_id=repository_id, limit=_LOOKED_AT + 1
    )
    answered = await answers.list_alarms(actor, repository_id=repository_id, answered=True)
    shown = progress.with_progress(sessions[:_SESSIONS])
    return RepositoryView(
        head=head,
        arrival=_arrival(head.details, sessions),
        reach=await reach.reach(actor, repository_id),
        answered_alarms=answered[:_ANSWERED],
        sessions=[(one, verdict_of(one)) for one in shown],
        has_more_sessions=len(sessions) > _SESSIONS,
        content=await _content(actor, head.details, query),
    )


def _arrival(details: Details, sessions: Sequence[SessionInfo]) -> Arrival | None:
    """`sessions`: the newest."""
    if details.condition == Condition.DELETED or details.repository.mode == Mode.EXPORT:
        return None
    if details.last_session is None:
        return Arrival.WAITING if details.repository.state == RepositoryState.NEW else None
    are_all = len(sessions) <= _LOOKED_AT
    made = [one for one in sessions if one.archive_created == ArchiveCreated.YES]
    if made:
        is_first = are_all and len(made) == 1 and clock.now() - made[0].started_at < _FRESH
        return Arrival.BACKED_UP if is_first else None
    is_on_its_way = details.repository.last_backup_at is None and are_all
    return Arrival.CONNECTED if is_on_its_way else None


async def _content(actor: Actor, details: Details, query: RepositoryViewQuery) -> Content | None:
    if details.condition == Condition.DELETED:
        return None
    repository = details.repository
    since = query.sizes_since
    if since is not None:
        since = min(since, clock.now() - _STRIP)
    wanted = await upkeeps.list_upkeeps(actor, repository.id, limit=_UPKEEPS)
    return Content(
        insight=await insights.insight_of(repository),
        room=await occupancy.look(actor, repository),
        history=await trends.history(repository.id, since),
        strip=await strips.strip(details.health, query.zone, strips.PAGE),
        restore=await restores.last_restore(repository.id),
        works=await running_work.shown_works(repository.id, wanted),
        upkeeps=[one for one in wanted if not one.is_open],
        deletions=await append_only.deletions(repository.id),
    )
