"""Which messages are sent as one, and which wait for others. Pure.

Of a kind, three messages reach a person one by one within two minutes; those that come after them
wait until the two minutes are over, and are sent as one with a list. What comes at once is one
message at once. Above the messages of an hour, what is not critical waits until there is room
again, and is one message then, whatever it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hive.kinds import Severity

FEW = 3
SPAN = timedelta(minutes=2)
HOUR = timedelta(hours=1)
KIND, LIMIT = "kind", "limit"  # why a delivery is held; stored


@dataclass(frozen=True)
class Ready:
    """A message that could be sent now."""

    id: int
    user_id: int
    kind: str
    severity: Severity
    created_at: datetime
    held: str = ""


@dataclass(frozen=True)
class Past:
    """A message that was sent within the last hour; `is_bundle`: it was many."""

    user_id: int
    kind: str
    severity: Severity
    sent_at: datetime
    is_bundle: bool = False


@dataclass
class Plan:
    """What is put together, and what waits until when and why."""

    bundles: list[list[int]] = field(default_factory=list)
    held: dict[int, tuple[datetime, str]] = field(default_factory=dict)


def plan(
    ready: Sequence[Ready],
    past: Iterable[Past],
    held: Mapping[tuple[int, str], datetime],
    now: datetime,
    limit: int,
) -> Plan:
    """Of one channel. `held`: until when others of a person wait, by kind, or LIMIT."""
    found = Plan()
    sent = list(past)
    for user_id in dict.fromkeys(row.user_id for row in ready):
        own = [row for row in ready if row.user_id == user_id]
        own_past = [one for one in sent if one.user_id == user_id]
        units = _by_kind(own, own_past, held, now, found)
        until = held.get((user_id, LIMIT))
        _within_limit(units, own_past, found, until=until, now=now, limit=limit)
    return found


def _by_kind(
    rows: Sequence[Ready],
    past: Sequence[Past],
    held: Mapping[tuple[int, str], datetime],
    now: datetime,
    found: Plan,
) -> list[list[Ready]]:
    """What would be a message each; what waits for others of its kind is noted in `found`."""
    late = [row for row in rows if row.held == LIMIT]
    units = [late] if late else []
    groups: dict[str, list[Ready]] = {}
    for row in rows:
        if row.held != LIMIT:
            groups.setdefault(row.kind, []).append(row)
    for kind, group in groups.items():
        before = _just_sent(kind, past, now)
        until = held.get((group[0].user_id, kind))
        oldest = min(row.created_at for row in group)
        if until is None and before and len(group) + before > FEW and oldest + SPAN > now:
            until = oldest + SPAN
        if until is not None and until > now:
            found.held |= {row.id: (until, KIND) for row in group}
        elif len(group) + before > FEW or any(row.held for row in group):
            units.append(group)
        else:
            units += [[row] for row in group]
    return units


def _just_sent(kind: str, past: Sequence[Past], now: datetime) -> int:
    lately = [one for one in past if one.kind == kind and one.sent_at > now - SPAN]
    return sum(FEW if one.is_bundle else 1 for one in lately)


def _within_limit(
    units: Sequence[list[Ready]],
    past: Sequence[Past],
    found: Plan,
    *,
    until: datetime | None,
    now: datetime,
    limit: int,
) -> None:
    """Let as much through as an hour takes; `until`: others of this person wait for that."""
    counted = sorted(one.sent_at for one in past if one.severity != Severity.CRITICAL)
    room = 0 if until is not None and until > now else max(limit - len(counted), 0)
    for unit in units:
        if not _is_critical(unit):
            if room == 0:
                free_at = until or counted[len(counted) - limit] + HOUR
                found.held |= {row.id: (free_at, LIMIT) for row in unit}
                continue
            room -= 1
            counted.append(now)
        if len(unit) > 1:
            found.bundles.append([row.id for row in unit])


def _is_critical(unit: Sequence[Ready]) -> bool:
    return any(row.severity == Severity.CRITICAL for row in unit)
