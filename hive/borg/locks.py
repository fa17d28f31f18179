"""borg 1's locks on disk, seen from the server: whose they are, and taking away dead ones.

`lock.exclusive/` holds one file HOSTID.PID-THREAD; `lock.roster` is JSON with the lists
`exclusive` and `shared` of [HOSTID, PID, THREAD]. HOSTID is BORG_HOST_ID where that is set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Holder:
    host_id: str
    pid: int


def exclusive_holder(repository: Path) -> Holder | None:
    """Who holds the exclusive lock, or None where nobody does."""
    for entry in _entries(repository / "lock.exclusive"):
        host_id, dot, process = entry.name.rpartition(".")
        pid, dash, _ = process.partition("-")
        if dot and dash and pid.isdigit():
            return Holder(host_id, int(pid))
    return None


def remove_locks_of(host_id: str, repository: Path) -> int:
    """Remove every lock of that host id; call only when none of its processes is left.

    Returns how many there were. A lock of another host is left alone.
    """
    removed = _remove_exclusive(host_id, repository / "lock.exclusive")
    return removed + _remove_from_roster(host_id, repository / "lock.roster")


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _remove_exclusive(host_id: str, directory: Path) -> int:
    removed = 0
    for entry in _entries(directory):
        if entry.name.startswith(f"{host_id}."):
            entry.unlink(missing_ok=True)
            removed += 1
    if removed and not _entries(directory):
        directory.rmdir()
    return removed


def _remove_from_roster(host_id: str, roster: Path) -> int:
    try:
        content: Any = json.loads(roster.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    if not isinstance(content, dict):
        return 0
    kept: dict[str, list[Any]] = {}
    removed = 0
    for kind, holders in content.items():
        if not isinstance(holders, list):
            return 0
        others = [holder for holder in holders if not _is_of(host_id, holder)]
        removed += len(holders) - len(others)
        if others:
            kept[kind] = others
    if removed and kept:
        roster.write_text(json.dumps(kept), encoding="utf-8")
    elif removed:
        roster.unlink(missing_ok=True)
    return removed


def _is_of(host_id: str, holder: object) -> bool:
    return isinstance(holder, list) and bool(holder) and holder[0] == host_id
