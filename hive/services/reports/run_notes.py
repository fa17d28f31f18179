"""What the server notes with a run: of its log until it is judged, then by which sessions it was.

Kept in the row of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from hive.models import Run
from hive.services.reports.verdicts import Claim


@dataclass(frozen=True, kw_only=True)
class RunNotes:
    """`sent_bytes` is the size of the log as it was sent, `is_cut` that not all of it is kept."""

    sent_bytes: int = 0
    is_cut: bool = False
    claim: Claim = Claim.EMPTY
    last_lines: str = ""  # until the run is judged
    session_ids: tuple[int, ...] = ()  # once it is judged

    @classmethod
    def of(cls, row: Run) -> RunNotes:
        kept = row.details
        return cls(
            sent_bytes=int(kept.get("bytes", 0)),
            is_cut=bool(kept.get("cut")),
            claim=Claim(kept.get("claim", Claim.EMPTY.value)),
            last_lines=str(kept.get("tail", "")),
            session_ids=tuple(kept.get("sessions", ())),
        )

    def store(self, row: Run) -> None:
        """Put it into the row; save that afterwards."""
        row.details = {
            "bytes": self.sent_bytes,
            "cut": self.is_cut,
            "claim": self.claim.value,
            "tail": self.last_lines,
            "sessions": list(self.session_ids),
        }
