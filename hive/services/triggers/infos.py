"""What is shown of triggers and of what became of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hive.kinds import TriggerKind, TriggerReason, TriggerState
from hive.models import Trigger, TriggerRun
from hive.services.secrets import opens, settings_of
from hive.services.triggers import settings


@dataclass(frozen=True, kw_only=True)
class TriggerRunInfo:
    """One call: what asked for it, and what became of it."""

    id: int
    trigger_id: int
    trigger: str
    reason: TriggerReason
    asked_by: str | None
    state: TriggerState
    started_at: datetime
    ended_at: datetime | None
    external_id: str | None
    link: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class TriggerInfo:
    """A trigger; secrets among its settings are masked for everybody."""

    id: int
    repository_id: int
    repository: str
    login: str
    name: str
    kind: TriggerKind
    settings: Mapping[str, str]
    cron: str | None
    timezone: str | None
    is_for_late: bool
    enabled: bool
    next_at: datetime | None
    created_at: datetime
    last_run: TriggerRunInfo | None


def info_of(row: Trigger, last: TriggerRun | None) -> TriggerInfo:
    """What may be shown of the row; its repository must have been fetched."""
    return TriggerInfo(
        id=row.id,
        repository_id=row.repository_id,
        repository=row.repository.name,
        login=row.repository.login,
        name=row.name,
        kind=row.kind,
        settings=settings.shown(row.kind, settings_of(row)) if opens(row) else {},
        cron=row.cron,
        timezone=row.timezone,
        is_for_late=row.is_for_late,
        enabled=row.enabled,
        next_at=row.next_at,
        created_at=row.created_at,
        last_run=None if last is None else run_info(last, row.name),
    )


def run_info(row: TriggerRun, trigger: str) -> TriggerRunInfo:
    return TriggerRunInfo(
        id=row.id,
        trigger_id=row.trigger_id,
        trigger=trigger,
        reason=row.reason,
        asked_by=row.asked_by,
        state=row.state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        external_id=row.external_id,
        link=row.link,
        message=row.message,
    )
