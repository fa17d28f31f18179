"""What a session's observer has seen, read again from the row that keeps it. Pure.

hive/borg/ledger.py says what everything means: a row keeps its Facts as JSON, those of former
versions included, which had fewer of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hive.borg.ledger import Transaction

_COUNTS = tuple(one.name for one in fields(Transaction))


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The facts that decide something after the session."""

    commits: int = 0
    committed: Transaction | None = None  # None: not kept
    archive_bytes: int | None = None
    reads: int | None = None  # objects besides the manifest; None: not kept

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> Observed | None:
        """None where nobody watched the session, or not to its end."""
        if kept is None or kept.get("note") is not None:
            return None
        committed, archive_bytes = kept.get("committed"), kept.get("archive_bytes")
        reads = kept.get("reads")
        counts = None
        if isinstance(committed, dict):
            counts = Transaction(**{name: int(committed.get(name) or 0) for name in _COUNTS})
        return cls(
            commits=int(kept.get("commits") or 0),
            committed=counts,
            archive_bytes=archive_bytes if isinstance(archive_bytes, int) else None,
            reads=reads if isinstance(reads, int) else None,
        )
