"""The audit log: who changed what, when, through which door. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise import Model
from tortoise.expressions import Q

from hive import clock
from hive.models import AuditEntry, Repository
from hive.services.permissions import Actor, require_recordable, require_sight

_CHANGE = {"from", "to"}


@dataclass(frozen=True)
class Detail:
    """One detail of an entry; a change has a former value."""

    name: str
    is_change: bool
    former: Any
    value: Any

    def __str__(self) -> str:
        text = f"{self.former} -> {self.value}" if self.is_change else str(self.value)
        return f"{self.name}: {text}"


@dataclass(frozen=True, kw_only=True)
class AuditInfo:
    id: int
    at: datetime
    actor: str
    behind: str | None
    source: str
    address: str | None
    action: str
    subject: str
    details: dict[str, Any]

    @property
    def who(self) -> str:
        """The actor, with who was root behind them."""
        return f"{self.actor} ({self.behind})" if self.behind else self.actor

    @property
    def parts(self) -> list[Detail]:
        return [
            Detail(name, True, value["from"], value["to"])
            if isinstance(value, dict) and value.keys() == _CHANGE
            else Detail(name, False, None, value)
            for name, value in self.details.items()
        ]


async def record(actor: Actor, action: str, subject: str, /, **details: Any) -> None:  # noqa: ANN401 - JSON
    """Add a row; call inside the transaction that makes the change. No secrets in `details`."""
    require_recordable(actor, action)
    await AuditEntry.create(
        at=clock.now(),
        user_id=actor.user_id,
        actor=actor.name,
        behind=actor.behind,
        source=actor.source,
        address=actor.address,
        action=action,
        subject=subject[:300],
        details={name: value for name, value in details.items() if value is not None},
    )


def values_of(row: Model, *names: str) -> dict[str, object]:
    """What a row holds in these columns: take it before and after a change, for `changes`."""
    return {name: getattr(row, name) for name in names}


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, Any]:
    """What differs, for `record`: of each value the former and the new one."""
    return {
        name: {"from": _plain(before.get(name)), "to": _plain(value)}
        for name, value in after.items()
        if before.get(name) != value
    }


def _plain(value: object) -> object:
    return clock.rfc3339(value) if isinstance(value, datetime) else value


def name_of(repository: Repository) -> str:
    """How entries call a repository; with its login, which stays when its name changes."""
    return f"repository {repository.name} ({repository.login})"


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which entries: all of what is given must fit, what is absent fits everything.

    actor    a name, also of the person who was root behind the command line
    action   the whole of it, such as `user.set`
    subject  a part of it
    since    entries from then on; `until`: before then
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def condition(self) -> Q:
        found = Q()
        if self.actor is not None:
            found &= Q(actor=self.actor) | Q(behind=self.actor)
        if self.action is not None:
            found &= Q(action=self.action)
        if self.subject is not None:
            found &= Q(subject__icontains=self.subject)
        if self.since is not None:
            found &= Q(at__gte=self.since)
        if self.until is not None:
            found &= Q(at__lt=self.until)
        return found


async def recent(
    actor: Actor,
    wanted: AuditFilter | None = None,
    *,
    limit: int = 200,
    before_id: int | None = None,
) -> list[AuditInfo]:
    """The newest entries first; for who sees everything."""
    require_sight(actor)
    query = AuditEntry.filter((wanted or AuditFilter()).condition)
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    rows = await query.order_by("-id").limit(limit)
    return [
        AuditInfo(
            id=r.id,
            at=r.at,
            actor=r.actor,
            behind=r.behind,
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
    require_sight(actor)
    rows = await AuditEntry.all().distinct().order_by("action").values_list("action", flat=True)
    return [str(row) for row in rows]
