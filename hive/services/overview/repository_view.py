"""What the page of one repository shows, asked for with one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hive import clock
from hive.kinds import ArchiveCreated, Level, Mode, RepositoryState
from hive.services import events
from hive.services.alarms import answers
from hive.services.alarms.alarms import AlarmInfo
from hive.services.alarms.answers import AlarmOffer
from hive.services.events import EventInfo
from hive.services.health import proposals
from hive.services.health.states import BAD, Condition
from hive.services.measurements import insights, trends
from hive.services.notifications import reach
from hive.services.overview import occupancy
from hive.services.overview.details import Details, find_details
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, former_paths
from hive.services.repositories.former_paths import FormerPathInfo
from hive.services.sessions import infos as session_infos
from hive.services.sessions import progress
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo
from hive.services.upkeep import append_only
from hive.services.upkeep import queue as upkeeps

_SESSIONS = 20
_EVENTS = 20
_UPKEEPS = 3
_ANSWERED = 5
_FRESH = timedelta(hours=6)  # for so long the first backup is news


class Arrival(StrEnum):
    """How far a repository is on its way to the first backup."""

    WAITING = "waiting"  # nobody was there yet
    CONNECTED = "connected"
    BACKED_UP = "backed up"  # just now, for the first time


@dataclass(frozen=True, kw_only=True)
class RepositoryViewQuery:
    """What of the long lists to show.

    sessions_before  only sessions older than this one; `events_before` the same of events
    sizes_since      the beginning of the history of sizes; None: all of it
    """

    sessions_before: int | None = None
    events_before: int | None = None
    sizes_since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is known of a repository's content."""

    insight: insights.Insight
    room: occupancy.Occupancy
    history: trends.History
    upkeeps: Sequence[upkeeps.UpkeepInfo]
    deletions: Sequence[append_only.Deletion]
    former_paths: Sequence[FormerPathInfo]


@dataclass(frozen=True, kw_only=True)
class RepositoryView:
    """One repository: how it is, how to reach it, its keys, and what happened.

    last_failed     the last session ended, and not well
    is_bad          that, or its health is bad
    arrival         None where it was there long ago, or nothing is to come
    reach           who would be notified; None where it is in the trash
    open_alarms     those that wait for an answer, with what the actor may do about each
    older_sessions  the `sessions_before` of the next page, if there is one; `older_events` too
    proposal        how often to expect backups, where nobody has said so and the actor may
    content         None where it is in the trash: nobody looks there
    """

    details: Details
    last_failed: bool
    is_bad: bool
    may_manage: bool
    arrival: Arrival | None
    reach: reach.Reach | None
    open_alarms: Sequence[tuple[AlarmInfo, AlarmOffer]]
    answered_alarms: Sequence[AlarmInfo]
    proposal: timedelta | None
    sessions: Sequence[SessionInfo]
    older_sessions: int | None
    events: Sequence[EventInfo]
    older_events: int | None
    content: Content | None


async def repository_view(
    actor: Actor, repository_id: int, query: RepositoryViewQuery
) -> RepositoryView:
    """The repository as the actor may see it; NotFound where they may not."""
    details = await find_details(actor, repository_id)
    sessions = await session_infos.list_sessions(
        actor,
        repository_id=repository_id,
        limit=_SESSIONS + 1,
        before_id=query.sessions_before,
    )
    rows = await events.recent(
        actor, repository_id=repository_id, limit=_EVENTS + 1, before_id=query.events_before
    )
    shown = sessions[:_SESSIONS]
    are_all = query.sessions_before is None and len(sessions) <= _SESSIONS
    last, health = details.last_session, details.health
    last_failed = last is not None and last.state == SessionState.BADLY
    may_manage = await catalogue.level(actor, repository_id) >= Level.MANAGE
    waiting = [one for one in health.alarms if one.is_critical]
    offers = await answers.offers(actor, waiting)
    answered = await answers.list_alarms(actor, repository_id=repository_id, answered=True)
    is_open = details.condition == Condition.UNWATCHED and may_manage
    return RepositoryView(
        details=details,
        last_failed=last_failed,
        is_bad=last_failed or health.state in BAD,
        may_manage=may_manage,
        arrival=_arrival(details, shown, are_all=are_all),
        reach=await reach.reach(actor, repository_id),
        open_alarms=[(one, offers[one.id]) for one in waiting],
        answered_alarms=answered[:_ANSWERED],
        proposal=await proposals.observed(repository_id) if is_open else None,
        sessions=progress.with_progress(shown),
        older_sessions=shown[-1].id if len(sessions) > _SESSIONS else None,
        events=rows[:_EVENTS],
        older_events=rows[_EVENTS - 1].id if len(rows) > _EVENTS else None,
        content=await _content(actor, details, query.sizes_since),
    )


def _arrival(details: Details, shown: Sequence[SessionInfo], *, are_all: bool) -> Arrival | None:
    """`shown`: the newest sessions."""
    if details.condition == Condition.DELETED or details.repository.mode == Mode.EXPORT:
        return None
    if details.last_session is None:
        return Arrival.WAITING if details.repository.state == RepositoryState.NEW else None
    made = [one for one in shown if one.archive_created == ArchiveCreated.YES]
    if made:
        is_first = are_all and len(made) == 1 and clock.now() - made[0].started_at < _FRESH
        return Arrival.BACKED_UP if is_first else None
    is_on_its_way = details.repository.last_backup_at is None and are_all
    return Arrival.CONNECTED if is_on_its_way else None


async def _content(actor: Actor, details: Details, since: datetime | None) -> Content | None:
    if details.condition == Condition.DELETED:
        return None
    repository = details.repository
    return Content(
        insight=await insights.insight_of(repository),
        room=await occupancy.look(actor, repository),
        history=await trends.history(repository.id, since),
        upkeeps=await upkeeps.list_upkeeps(actor, repository.id, limit=_UPKEEPS),
        deletions=await append_only.deletions(repository.id),
        former_paths=await former_paths.list_former_paths(actor, repository.id),
    )
