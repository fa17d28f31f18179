"""What stands on top of each tab of a repository: how it is, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from hive.kinds import EventKind, Health, Level, Mode, Need, Operation, RepositoryState
from hive.services.alarms import answers
from hive.services.alarms.alarms import AlarmInfo
from hive.services.alarms.answers import AlarmOffer
from hive.services.health import proposals
from hive.services.health.states import BAD, Condition
from hive.services.lifecycle import imports
from hive.services.overview.details import Details, find_details
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions.filters import SessionState


class NextAction(StrEnum):
    """The most likely thing to do; everything else is one click further away."""

    RESTORE = "restore"  # from the trash
    ROLL_BACK = "roll back"
    SHOW_DAMAGE = "show damage"
    ACKNOWLEDGE = "acknowledge"
    BREAK_LOCK = "break lock"
    RESUME = "resume"
    SWITCH_TO_BORG = "switch to BORG"  # rsync has brought or fetched what it was to
    CONNECT = "connect"
    WATCH = "watch"


@dataclass(frozen=True, kw_only=True)
class Head:
    """One repository, in short.

    last_failed  the last session ended, and not well
    is_bad       that, or its health is bad
    open_alarms  those that wait for an answer, with what the actor may do about each
    proposal     how often to expect backups, where nobody has said so and the actor may
    action       None where nothing is to be done, or nothing may be
    """

    details: Details
    last_failed: bool
    is_bad: bool
    may_manage: bool
    open_alarms: Sequence[tuple[AlarmInfo, AlarmOffer]]
    proposal: timedelta | None
    action: NextAction | None


async def find_head(actor: Actor, repository_id: int) -> Head:
    """NotFound unless the actor may see the repository."""
    details = await find_details(actor, repository_id)
    last, health = details.last_session, details.health
    last_failed = last is not None and last.state == SessionState.BADLY
    may_manage = await catalogue.level(actor, repository_id) >= Level.MANAGE
    waiting = [one for one in health.alarms if one.is_critical]
    offers = await answers.offers(actor, waiting)
    is_transferred = await _is_transferred(details)
    action = _action(
        details, list(offers.values()), may_manage=may_manage, is_transferred=is_transferred
    )
    is_open = details.condition == Condition.UNWATCHED and may_manage
    return Head(
        details=details,
        last_failed=last_failed,
        is_bad=last_failed or health.state in BAD,
        may_manage=may_manage,
        open_alarms=[(one, offers[one.id]) for one in waiting],
        proposal=await proposals.observed(repository_id) if is_open else None,
        action=action,
    )


def _action(
    details: Details, offers: Sequence[AlarmOffer], *, may_manage: bool, is_transferred: bool
) -> NextAction | None:
    """The first that fits, the most urgent first."""
    health, repository = details.health, details.repository
    if details.condition == Condition.DELETED:
        return NextAction.RESTORE
    is_new = repository.state == RepositoryState.NEW or repository.last_backup_at is None
    fits = {
        NextAction.ROLL_BACK: any(one.can_roll_back for one in offers),
        NextAction.SHOW_DAMAGE: any(one.is_damage for one in offers),
        NextAction.BREAK_LOCK: any(one.kind == EventKind.STALE_LOCK for one in health.alarms),
        NextAction.ACKNOWLEDGE: health.health in (Health.LATE, Health.DOWN)
        and health.acknowledged_at is None,
        NextAction.RESUME: health.paused_until is not None,
        NextAction.SWITCH_TO_BORG: is_transferred,
        NextAction.CONNECT: is_new and repository.mode != Mode.EXPORT,
        NextAction.WATCH: details.condition == Condition.UNWATCHED and repository.mode == Mode.BORG,
    }
    if not may_manage:
        return NextAction.CONNECT if fits[NextAction.CONNECT] and not offers else None
    return next((action for action, is_it in fits.items() if is_it), None)


async def _is_transferred(details: Details) -> bool:
    """Whether the last session brought or fetched all by rsync, in the mode that it still has."""
    last, mode = details.last_session, details.repository.mode
    if last is None or last.state != SessionState.WELL or last.operation == Operation.DRY_RUN:
        return False
    if mode == Mode.IMPORT and last.need == Need.IMPORT:
        return await imports.is_verified_since(details.repository.id, last.started_at)
    return mode == Mode.EXPORT and last.need == Need.EXPORT
