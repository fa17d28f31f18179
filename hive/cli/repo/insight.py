"""What `hive repo show` adds: measurements, quotas, locks and former paths."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from hive import clock
from hive.cli import output
from hive.services.measurements.insights import Insight
from hive.services.overview.occupancy import Occupancy
from hive.services.repositories.former_paths import FormerPathInfo
from hive.services.repositories.locks import LockInfo


def former_paths_document(paths: Sequence[FormerPathInfo]) -> dict[str, Any]:
    """Machines that open the repository by a path that will be refused some day."""
    return {
        "former_paths": [
            {
                "path": one.path,
                "key": one.key_name,
                "fingerprint": one.key_fingerprint,
                "peer": one.peer,
                "uses": one.uses,
                "last_used_at": output.time(one.last_used_at),
            }
            for one in paths
        ]
    }


def former_paths_fields(paths: Sequence[FormerPathInfo]) -> dict[str, Any]:
    """The same for people; nothing where there is none."""
    shown = [
        f"{one.path} by {one.key_name} from {one.peer}, {output.counted(one.uses, 'time')}"
        for one in paths
    ]
    return {"former paths": shown} if shown else {}


def insight_document(insight: Insight) -> dict[str, Any]:
    """What was measured, to be added at the end of the repository's document."""
    return {
        "measured_at": output.time(insight.measured_at),
        "measuring_problem": insight.problem,
        "kind": insight.kind,
        "version": insight.version,
        "borg_id": insight.borg_id,
        "encryption": insight.encryption,
        "append_only": insight.append_only,
        "transaction": insight.transaction,
        "live_bytes": insight.live_bytes,
        "reclaimable_bytes": insight.reclaimable_bytes,
        "growth_bytes_per_week": insight.growth_bytes_per_week,
        "quota_full_on": _day(insight.quota_full_on),
        "disk_full_on": _day(insight.disk_full_on),
        "checked_at": output.time(insight.checked_at),
        "check_error": insight.check_error,
        "compacted_at": output.time(insight.compacted_at),
        "locks": [lock_document(lock) for lock in insight.locks],
    }


def occupancy_document(room: Occupancy) -> dict[str, Any]:
    """Quotas, what is staged, and limits in the config, at the end of the document."""
    staged = room.staged
    return {
        "quotas": [
            {
                "scope": one.quota.scope,
                "name": one.quota.name,
                "quota_bytes": one.quota.limit_bytes,
                "used_bytes": one.used_bytes,
                "used_up": one.is_used_up,
            }
            for one in room.quotas
        ],
        "staged_import": None
        if staged is None
        else {
            "size_bytes": staged.size_bytes,
            "since": output.time(staged.since),
            "discarded_at": output.time(staged.until),
        },
        "config_limits": {
            "append_only": room.limits.append_only,
            "storage_quota": room.limits.quota_bytes,
            "additional_free_space": room.limits.reserve_bytes,
        },
    }


def occupancy_fields(room: Occupancy) -> dict[str, Any]:
    """The same for people; what is not there is left out."""
    found: dict[str, Any] = {}
    if room.quotas:
        found["quotas"] = [
            f"{one.quota.scope} {one.quota.name}: {output.size(one.used_bytes)} of"
            f" {output.size(one.quota.limit_bytes)}{', used up' if one.is_used_up else ''}"
            for one in room.quotas
        ]
    if room.staged is not None:
        until = output.time(room.staged.until)
        found["staged import"] = (
            f"{output.size(room.staged.size_bytes)}, since {output.time(room.staged.since)}"
            f"{f', discarded at {until}' if until else ''}"
        )
    if room.limits.in_words:
        found["limits in config"] = room.limits.in_words
    return found


def lock_document(lock: LockInfo) -> dict[str, Any]:
    return {
        "host_id": lock.host_id,
        "pid": lock.pid,
        "exclusive": lock.is_exclusive,
        "since": output.time(lock.since),
        "dead": lock.is_dead,
        "stale": lock.is_stale,
    }


def insight_fields(insight: Insight) -> dict[str, Any]:
    """The same for people; what is not there is left out."""
    now = clock.now()
    growth = insight.growth_bytes_per_week
    found = {
        "encryption": insight.encryption,
        "live": output.size(insight.live_bytes),
        "reclaimable": output.size(insight.reclaimable_bytes),
        "growth": None if growth is None else f"{output.size(growth)} a week",
        "quota full on": _day(insight.quota_full_on),
        "disk full on": _day(insight.disk_full_on),
        "lock": [lock.in_words(now) for lock in insight.locks],
        "checked": _checked(insight),
        "compacted": insight.compacted_at,
        "measured": insight.measured_at,
    }
    if insight.problem is not None:
        found["not measured"] = insight.problem
    return found


def _checked(insight: Insight) -> str | None:
    at = output.time(insight.checked_at)
    if at is None:
        return None
    return f"{at}: {insight.check_error or 'no problems'}"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
