"""What the further tabs of a repository show, each asked for with one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.services import events
from hive.services.alarms import answers
from hive.services.alarms.alarms import AlarmInfo
from hive.services.events import EventInfo
from hive.services.health import history
from hive.services.health.history import Period
from hive.services.health.states import Condition
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.measurements import insights
from hive.services.notifications import reach
from hive.services.overview import occupancy
from hive.services.overview.repository_head import Head, find_head
from hive.services.permissions import Actor
from hive.services.repositories import former_paths
from hive.services.repositories.former_paths import FormerPathInfo
from hive.services.sessions import infos as session_infos
from hive.services.sessions import progress
from hive.services.sessions.infos import SessionInfo
from hive.services.sessions.outcomes import SessionOutcome, outcome_of
from hive.services.upkeep import append_only

_SESSIONS = 20
_EVENTS = 20
_PERIODS = 50
_ANSWERED = 20


@dataclass(frozen=True, kw_only=True)
class SessionsTab:
    """`older`: where the next page begins, if there is one."""

    head: Head
    sessions: Sequence[tuple[SessionInfo, SessionOutcome]]
    older: int | None


async def sessions_tab(actor: Actor, repository_id: int, before: int | None = None) -> SessionsTab:
    """Sessions, the newest first; only those older than `before`."""
    head = await find_head(actor, repository_id)
    found = await session_infos.list_sessions(
        actor, repository_id=repository_id, limit=_SESSIONS + 1, before_id=before
    )
    shown = progress.with_progress(found[:_SESSIONS])
    return SessionsTab(
        head=head,
        sessions=[(one, outcome_of(one)) for one in shown],
        older=shown[-1].id if len(found) > _SESSIONS else None,
    )


@dataclass(frozen=True, kw_only=True)
class HistoryTab:
    """How its health was, what happened, and which alarms were answered."""

    head: Head
    periods: Sequence[Period]
    answered_alarms: Sequence[AlarmInfo]
    events: Sequence[EventInfo]
    older: int | None


async def history_tab(actor: Actor, repository_id: int, before: int | None = None) -> HistoryTab:
    """The newest first; of the events only those older than `before`."""
    head = await find_head(actor, repository_id)
    rows = await events.recent(
        actor, repository_id=repository_id, limit=_EVENTS + 1, before_id=before
    )
    answered = await answers.list_alarms(actor, repository_id=repository_id, answered=True)
    return HistoryTab(
        head=head,
        periods=await history.periods(repository_id, limit=_PERIODS),
        answered_alarms=answered[:_ANSWERED],
        events=rows[:_EVENTS],
        older=rows[_EVENTS - 1].id if len(rows) > _EVENTS else None,
    )


@dataclass(frozen=True, kw_only=True)
class KeysTab:
    """`visible`: the keys that the actor may use, by id; `others`: those without access."""

    head: Head
    visible: dict[int, KeyInfo]
    others: Sequence[KeyInfo]


async def keys_tab(actor: Actor, repository_id: int) -> KeysTab:
    """Which keys open it; only who may manage it sees what could be changed."""
    head = await find_head(actor, repository_id)
    if not head.may_manage:
        return KeysTab(head=head, visible={}, others=())
    visible = {key.id: key for key in await keys.list_keys(actor)}
    granted = {key.key_id for key in head.details.repository.keys}
    others = [key for key in visible.values() if key.id not in granted]
    return KeysTab(head=head, visible=visible, others=others)


@dataclass(frozen=True, kw_only=True)
class SettingsTab:
    """What is needed once a year, and what destroys.

    reach  None where it is in the trash, as for `insight` and `room`
    """

    head: Head
    reach: reach.Reach | None
    insight: insights.Insight | None
    room: occupancy.Occupancy | None
    former_paths: Sequence[FormerPathInfo]
    deletions: Sequence[append_only.Deletion]


async def settings_tab(actor: Actor, repository_id: int) -> SettingsTab:
    """For who may see the repository; what may be changed is for who may manage it."""
    head = await find_head(actor, repository_id)
    repository = head.details.repository
    is_there = head.details.condition != Condition.DELETED
    return SettingsTab(
        head=head,
        reach=await reach.reach(actor, repository_id),
        insight=await insights.insight_of(repository) if is_there else None,
        room=await occupancy.look(actor, repository) if is_there else None,
        former_paths=await former_paths.list_former_paths(actor, repository_id),
        deletions=await append_only.deletions(repository_id) if is_there else (),
    )
