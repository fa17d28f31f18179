"""What is noted with a run comes back as it was, from rows of former versions too."""

from __future__ import annotations

import pytest

from hive.models import Run
from hive.services.reports.run_notes import RunNotes
from hive.services.reports.verdicts import Claim


@pytest.mark.parametrize(
    "notes",
    [
        RunNotes(),
        RunNotes(sent_bytes=7, is_cut=True, claim=Claim.OTHER, last_lines="the end"),
        RunNotes(sent_bytes=7, claim=Claim.ARCHIVE, session_ids=(3, 5)),
    ],
)
def test_what_is_stored_comes_back(notes: RunNotes) -> None:
    row = Run()
    notes.store(row)
    assert RunNotes.of(row) == notes


def test_a_row_of_a_former_version_is_read() -> None:
    row = Run()
    row.details = {"sessions": [3], "claim": "archive"}
    assert RunNotes.of(row) == RunNotes(claim=Claim.ARCHIVE, session_ids=(3,))
