"""The audit log: who changed what, when, through which door. Rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hive import clock
from hive.models import AuditEntry, Repository
from hive.services.permissions import Actor, require_admin


@dataclass(frozen=True, kw_only=True)
class AuditInfo:
    id: int
    at: datetime
    actor: str
    source: str
    address: str | None
    action: str
    subject: str
    details: dict[str, Any]


async def record(actor: Actor, action: str, subject: str, **details: Any) -> None:  # noqa: ANN401 - JSON
    """Add a row; call inside the transaction that makes the change. No secrets in `details`."""
    await AuditEntry.create(
        at=clock.now(),
        user_id=actor.user_id,
        actor=actor.name,
        source=actor.source,
        address=actor.address,
        action=action,
        subject=subject[:300],
        details={name: value for name, value in details.items() if value is not None},
    )


def name_of(repository: Repository) -> str:
    """How entries call a repository; with its login, which stays when its name changes."""
    return f"repository {repository.name} ({repository.login})"


async def recent(
    actor: Actor,
    *,
    by: str | None = None,
    action: str | None = None,
    limit: int = 200,
    before_id: int | None = None,
) -> list[AuditInfo]:
    """The newest entries first; administrators only."""
    require_admin(actor)
    query = AuditEntry.all() if before_id is None else AuditEntry.filter(id__lt=before_id)
    if by is not None:
        query = query.filter(actor=by)
    if action is not None:
        query = query.filter(action=action)
    rows = await query.order_by("-id").limit(limit)
    return [
        AuditInfo(
            id=r.id,
            at=r.at,
            actor=r.actor,
            source=r.source,
            address=r.address,
            action=r.action,
            subject=r.subject,
            details=r.details,
        )
        for r in rows
    ]


async def actions(actor: Actor) -> list[str]:
    """The actions that there are entries of."""
    require_admin(actor)
    rows = await AuditEntry.all().distinct().order_by("action").values_list("action", flat=True)
    return [str(row) for row in rows]
