"""Which repositories had a last session that ended, and not well: kept in their rows."""

from __future__ import annotations

from tortoise.expressions import Q

from hive.database import transactional
from hive.kinds import Need
from hive.models import Repository, Session
from hive.services.sessions import latest
from hive.services.sessions.filters import SessionState, in_state, state_of


async def note_end(session: Session) -> None:
    """Keep whether the last session failed; call in the transaction that ends a session."""
    newer = Session.filter(
        Q(started_at__gt=session.started_at) | Q(started_at=session.started_at, id__gt=session.id),
        repository_id=session.repository_id,
        ended_at__isnull=False,
    )
    if session.need == Need.STATUS or await newer.exclude(need=Need.STATUS).exists():
        return
    state = state_of(session.ended_at, session.end_reason, session.exit_status)
    await Repository.filter(id=session.repository_id).update(
        failed_session_id=session.id if state == SessionState.BADLY else None
    )


@transactional
async def draw_up(repository_id: int) -> None:
    """The same from the sessions of a repository, for those from before it was kept."""
    newest = (await latest.newest([repository_id])).get(repository_id)
    failed = Session.filter(in_state(SessionState.BADLY), id=newest)
    has_failed = newest is not None and await failed.exists()
    await Repository.filter(id=repository_id).update(
        failed_session_id=newest if has_failed else None
    )
