"""What is worth telling: the one table of kinds, and how bad each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hive.event_groups import GROUPS, EventGroup
from hive.kinds import QUOTA_STEPS, EventKind, Health, Severity

# Notifications that are not about an event of a repository.
DIGEST = "digest"
DEAD_LETTER = "dead letter"
TEST = "test"
MANY_WRONG_LOGINS = "many wrong logins"
DOWNTIME = "downtime"
KEY_EXPIRES = "key expires"
ACCESS_EXPIRES = "access expires"  # of a user, a membership or a share

ORDER = (Severity.INFO, Severity.RECOVERY, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True)
class Telling:
    """How bad a kind is; unless it is sent by default, only rules that name it send it."""

    severity: Severity
    by_default: bool = True


_INFO, _RECOVERY = Telling(Severity.INFO), Telling(Severity.RECOVERY)
_WARNING, _CRITICAL = Telling(Severity.WARNING), Telling(Severity.CRITICAL)
_ASKED_FOR = Telling(Severity.INFO, by_default=False)

# What is not in here costs nothing when it happens, and nobody can ask for it.
TABLE: Mapping[EventKind, Telling] = {
    # late comes before down: to send both is to report one missed backup twice
    EventKind.LATE: Telling(Severity.WARNING, by_default=False),
    EventKind.DOWN: _CRITICAL,
    EventKind.STILL_DOWN: _CRITICAL,
    EventKind.RECOVERED: _RECOVERY,
    EventKind.PAUSED: _ASKED_FOR,
    EventKind.RESUMED: _ASKED_FOR,
    EventKind.SCHEDULE_BROKEN: _WARNING,
    EventKind.SESSION_FAILED: _WARNING,
    EventKind.SMALL_BACKUP: _WARNING,
    EventKind.CLIENT_FAILED: _WARNING,
    EventKind.CLIENT_UNPROVEN: _WARNING,
    EventKind.CLIENT_CONTRADICTED: _WARNING,
    EventKind.MASS_DELETION: _CRITICAL,
    EventKind.APPEND_ONLY_DELETION: _CRITICAL,
    EventKind.SHRUNK: _CRITICAL,
    EventKind.CLIENT_DELETED: _CRITICAL,
    EventKind.CONTENT_GONE: _CRITICAL,
    EventKind.WENT_BACK: _CRITICAL,
    EventKind.REPLACED: _CRITICAL,
    EventKind.CONFIG_SUSPICIOUS: _CRITICAL,
    EventKind.ROLLED_BACK: _WARNING,
    EventKind.ROLLBACK_STOPPED: _CRITICAL,
    EventKind.INTEGRITY_ERROR: _CRITICAL,
    EventKind.QUOTA_FILLING: _WARNING,
    EventKind.STALE_LOCK: _WARNING,
    EventKind.MEASURING_FAILED: _WARNING,
    EventKind.NEW_NETWORK: _WARNING,
    EventKind.KEY_FIRST_USED: _INFO,
    EventKind.REFUSED_OFTEN: _WARNING,
    EventKind.ALARM_ENDED: _RECOVERY,
    EventKind.UPKEEP_FAILED: _WARNING,
    EventKind.UPKEEP_REFUSED: _WARNING,
    EventKind.TRIGGER_FAILED: _WARNING,
    EventKind.TRIGGER_MISSED: _WARNING,
    EventKind.TRIGGER_OVERLAPPED: _WARNING,
    EventKind.IMPORT_VERIFIED: _INFO,
    EventKind.IMPORT_REJECTED: _WARNING,
    EventKind.IMPORT_DISCARDED: _WARNING,
    EventKind.EXPORT_ENDED: _INFO,
    EventKind.MAYBE_BACKUP: _ASKED_FOR,
    EventKind.CREATED: _ASKED_FOR,
    EventKind.DELETED: _ASKED_FOR,
    EventKind.CONFIG_CHANGED: _ASKED_FOR,
    EventKind.CHECKED: _ASKED_FOR,
    EventKind.COMPACTED: _ASKED_FOR,
    EventKind.TRIGGER_ENDED: _ASKED_FOR,
}

# What a rule may name: the table, and what has no repository.
NAMES = (
    *(str(kind) for kind in TABLE),
    str(EventKind.DISK_FILLING),
    str(EventKind.TURNED_AWAY),
    str(EventKind.STORAGE_UNAVAILABLE),
    str(EventKind.PROGRAM_UNUSABLE),
    str(EventKind.DATABASE_IN_TROUBLE),
    str(EventKind.CLOCK_JUMPED),
    str(EventKind.CHANNEL_FAILING),
    DEAD_LETTER,
    DIGEST,
    DOWNTIME,
    KEY_EXPIRES,
    ACCESS_EXPIRES,
    MANY_WRONG_LOGINS,
)
# What only rules that name it tell.
NAMED_ALONE = frozenset(str(kind) for kind, telling in TABLE.items() if not telling.by_default)


def by_group() -> list[tuple[EventGroup | None, tuple[str, ...]]]:
    """What a rule may name, as events are grouped; last what is no event (None)."""
    grouped = [
        (group, tuple(str(kind) for kind in kinds if str(kind) in NAMES))
        for group, kinds in GROUPS.items()
    ]
    known = {kind for _, kinds in grouped for kind in kinds}
    others = tuple(name for name in NAMES if name not in known)
    return [*((group, kinds) for group, kinds in grouped if kinds), (None, others)]


# What counts as a problem in a digest; a reminder of one is no other.
FAILURES = tuple(
    kind
    for kind, telling in TABLE.items()
    if telling.by_default
    and telling.severity in {Severity.WARNING, Severity.CRITICAL}
    and kind != EventKind.STILL_DOWN
)


# What happened once and has no end: nobody can answer it here.
_ENDLESS = frozenset(
    str(kind)
    for kind in (
        EventKind.SESSION_FAILED,
        EventKind.CLIENT_FAILED,
        EventKind.CLIENT_UNPROVEN,
        EventKind.CLIENT_CONTRADICTED,
        EventKind.ROLLED_BACK,
        EventKind.NEW_NETWORK,
        EventKind.UPKEEP_FAILED,
        EventKind.UPKEEP_REFUSED,
        EventKind.TRIGGER_FAILED,
        EventKind.TRIGGER_MISSED,
        EventKind.TRIGGER_OVERLAPPED,
        EventKind.IMPORT_REJECTED,
        EventKind.IMPORT_DISCARDED,
        EventKind.TURNED_AWAY,
    )
) | {DEAD_LETTER, DIGEST, DOWNTIME, KEY_EXPIRES, MANY_WRONG_LOGINS, TEST}


@dataclass(frozen=True)
class Matter:
    """What to notify of, as rules see it."""

    kind: str
    severity: Severity
    by_default: bool = True
    ends: frozenset[str] = frozenset()  # the kinds of trouble that are over by it
    incident: str | None = None  # the problem that it is about: hive/services/outbox/incidents.py
    weight: Severity = Severity.INFO  # a recovery weighs what its trouble weighed
    repository_id: int | None = None
    owner_id: int | None = None
    tags: frozenset[str] = frozenset()

    @property
    def can_be_answered(self) -> bool:
        """Whether it is a problem that ends, or that somebody can say they know of."""
        is_problem = self.severity in (Severity.WARNING, Severity.CRITICAL)
        return is_problem and self.kind not in _ENDLESS


def matter_of(kind: EventKind, details: Mapping[str, Any]) -> Matter | None:
    """An event as rules look at it, its repository aside; None for what is never told."""
    telling = TABLE.get(kind)
    if telling is None or details.get("muted"):
        return None
    ends = _ended_by(kind, details)
    ended = [TABLE[one] for one in ends if one in TABLE]
    severity = _severity(kind, telling, details)
    weights = [severity, *(one.severity for one in ended)]
    return Matter(
        kind=str(kind),
        severity=severity,
        # the end of what was not told is no news either
        by_default=any(one.by_default for one in ended) if ended else telling.by_default,
        ends=frozenset(str(one) for one in ends),
        weight=max(weights, key=ORDER.index),
    )


def _severity(kind: EventKind, telling: Telling, details: Mapping[str, Any]) -> Severity:
    level = details.get("level")
    if kind == EventKind.QUOTA_FILLING and level is not None and level >= QUOTA_STEPS[-1]:
        return Severity.CRITICAL  # no backup fits any more
    return telling.severity


def _ended_by(kind: EventKind, details: Mapping[str, Any]) -> frozenset[EventKind]:
    if kind == EventKind.RECOVERED:
        if details.get("former") == Health.LATE:
            return frozenset({EventKind.LATE})
        return frozenset({EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN})
    if kind == EventKind.ALARM_ENDED and details.get("alarm") in set(EventKind):
        return frozenset({EventKind(details["alarm"])})
    return frozenset()
