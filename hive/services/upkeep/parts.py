"""How far an upkeep has come that takes several turns: kept in its row, between restarts too."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hive.models import Upkeep


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What steers the next turn, and what the turns so far have found."""

    is_partial: bool = False  # a check in parts: in one piece it would never come to its end
    has_begun: bool = False  # a part of it was done
    is_rest: bool = False  # its first part ends a check that somebody else began
    problems: tuple[str, ...] = ()
    freed_bytes: int | None = None  # by a compaction

    @classmethod
    def of(cls, row: Upkeep) -> Parts:
        kept = row.details
        freed = kept.get("freed_bytes")
        return cls(
            is_partial=bool(kept.get("is_partial")),
            has_begun=bool(kept.get("has_begun")),
            is_rest=bool(kept.get("is_rest")),
            problems=tuple(str(problem) for problem in kept.get("problems") or ()),
            freed_bytes=freed if isinstance(freed, int) else None,
        )

    def store(self, row: Upkeep) -> None:
        """Put it into the row; save that afterwards."""
        row.details = {**asdict(self), "problems": list(self.problems)}
