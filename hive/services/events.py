"""Events: what happened to repositories, as rows and as a call to listeners."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hive import clock, signals
from hive.database import after_commit
from hive.kinds import EventKind
from hive.models import Event
from hive.services.outbox import outbox
from hive.services.permissions import Actor, of_visible_repositories


@dataclass(frozen=True, kw_only=True)
class EventInfo:
    id: int
    at: datetime
    repository_id: int
    repository: str
    kind: EventKind
    message: str
    session_id: int | None


async def record(
    repository_id: int,
    kind: EventKind,
    message: str,
    *,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """Add an event, and tell those it concerns; call inside the transaction that makes it true.

    Listeners hear after commit, and notifications are sent from the outbox.
    """
    row = await Event.create(
        at=clock.now(),
        repository_id=repository_id,
        session_id=session_id,
        kind=kind,
        message=message,
        details=details,
    )
    await outbox.note(row)
    happening = signals.RepositoryEvent(
        id=row.id,
        at=row.at,
        repository_id=repository_id,
        kind=kind,
        message=row.message,
        session_id=session_id,
    )
    after_commit(lambda: signals.tell(happening))


def rights_changed(reason: str) -> None:
    """Have running sessions checked against the new rules, once this is committed."""
    after_commit(lambda: signals.tell(signals.RightsChanged(reason)))


def quotas_changed() -> None:
    """Have running sessions held against the new quotas, once this is committed."""
    after_commit(lambda: signals.tell(signals.QuotasChanged()))


async def recent(
    actor: Actor,
    *,
    repository_id: int | None = None,
    session_id: int | None = None,
    kinds: Collection[EventKind] | None = None,
    limit: int = 100,
    before_id: int | None = None,
) -> list[EventInfo]:
    """The newest events first, of the repositories that the actor may see."""
    visible = Event.filter(await of_visible_repositories(actor))
    if repository_id is not None:
        visible = visible.filter(repository_id=repository_id)
    if session_id is not None:
        visible = visible.filter(session_id=session_id)
    if kinds is not None:
        visible = visible.filter(kind__in=list(kinds))
    if before_id is not None:
        visible = visible.filter(id__lt=before_id)
    rows = await visible.order_by("-id").limit(limit).select_related("repository")
    return [
        EventInfo(
            id=r.id,
            at=r.at,
            repository_id=r.repository_id,
            repository=r.repository.name,
            kind=r.kind,
            message=r.message,
            session_id=r.session_id,
        )
        for r in rows
    ]
