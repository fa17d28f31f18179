from __future__ import annotations

import pytest

from hive.kinds import ArchiveCreated, Operation, RunState, RunVerdict
from hive.services.reports.verdicts import Claim, SeenSession, claim, verdict

HERE = {"login": "k3v9x2ab", "directory": "documents"}
CREATE = SeenSession(True, Operation.CREATE, ArchiveCreated.YES)
CHECKPOINT = SeenSession(True, Operation.CREATE, ArchiveCreated.PARTIAL)
CHECK = SeenSession(True, Operation.CHECK, ArchiveCreated.NO)
CUT_OFF = SeenSession(True, Operation.CREATE, ArchiveCreated.UNKNOWN)
INTERRUPTED = SeenSession(True, None, None)
LIVE = SeenSession(False, None, None)

GOOD, BAD, OPEN = RunState.SUCCEEDED, RunState.FAILED, RunState.UNFINISHED
AGREES, NOTHING = RunVerdict.AGREES, RunVerdict.NOTHING_WRITTEN
WRITTEN, UNKNOWN = RunVerdict.WRITTEN, RunVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", Claim.EMPTY),
        (" \n\n", Claim.EMPTY),
        ('Creating archive at "ssh://k3v9x2ab@hive:2222/./documents::host-1"', Claim.ARCHIVE),
        (
            "ssh://k3v9x2ab@hive/./documents: Creating archive at ssh://x/./documents::a",
            Claim.ARCHIVE,
        ),
        ("Repository: ssh://k3v9x2ab@hive/./documents\nArchive name: host-1", Claim.ARCHIVE),
        ("Archive name: host-1", Claim.ARCHIVE),
        # the login stands in ~/.ssh/config
        ('Creating archive at "hive:documents::host-1"', Claim.ARCHIVE),
        ('Creating archive at "ssh://hive/./documents::host-1"', Claim.ARCHIVE),
        # another of the repositories that the same configuration backs up
        ('Creating archive at "ssh://zzzzzzzz@hive:2222/./documents::host-1"', Claim.OTHER),
        ('Creating archive at "/mnt/usb/documents::host-1"', Claim.OTHER),
        ('Creating archive at "hive:photos::host-1"', Claim.OTHER),
        ("Pruning archives\nKeeping archive (rule: daily #1): a", Claim.OTHER),
        ("Running consistency checks\nArchive consistency check complete", Claim.OTHER),
        ("\x00\x01\xff", Claim.OTHER),
    ],
)
def test_what_a_log_says_of_archives(log: str, expected: Claim) -> None:
    assert claim(log, **HERE) == expected


@pytest.mark.parametrize(
    ("state", "said", "sessions", "has_start", "expected"),
    [
        (GOOD, Claim.ARCHIVE, [CREATE], True, AGREES),
        (GOOD, Claim.EMPTY, [CHECK, CREATE], False, AGREES),
        (GOOD, Claim.OTHER, [CREATE], True, AGREES),
        (GOOD, Claim.ARCHIVE, [], True, NOTHING),
        (GOOD, Claim.ARCHIVE, [CHECK], False, NOTHING),
        (GOOD, Claim.ARCHIVE, [CHECKPOINT], True, NOTHING),
        (GOOD, Claim.ARCHIVE, [CUT_OFF], True, UNKNOWN),
        (GOOD, Claim.ARCHIVE, [INTERRUPTED], True, UNKNOWN),
        (GOOD, Claim.ARCHIVE, [LIVE], True, UNKNOWN),
        (GOOD, Claim.OTHER, [CHECK], True, UNKNOWN),
        (GOOD, Claim.OTHER, [], True, UNKNOWN),
        (GOOD, Claim.EMPTY, [], True, NOTHING),
        (GOOD, Claim.EMPTY, [CHECKPOINT], True, NOTHING),
        (GOOD, Claim.EMPTY, [CHECK], True, UNKNOWN),
        (GOOD, Claim.EMPTY, [], False, UNKNOWN),
        (BAD, Claim.EMPTY, [CREATE], True, WRITTEN),
        (BAD, Claim.OTHER, [], True, AGREES),
        (BAD, Claim.ARCHIVE, [CHECKPOINT], True, AGREES),
        (BAD, Claim.ARCHIVE, [CUT_OFF], True, UNKNOWN),
        (OPEN, Claim.ARCHIVE, [CREATE], True, UNKNOWN),
        (OPEN, Claim.EMPTY, [], True, UNKNOWN),
    ],
)
def test_the_table_of_verdicts(
    state: RunState, said: Claim, sessions: list[SeenSession], has_start: bool, expected: RunVerdict
) -> None:
    assert verdict(state, said, sessions, has_start=has_start) == expected


def test_a_backup_made_past_the_gate_counts_as_well() -> None:
    assert verdict(GOOD, Claim.ARCHIVE, [], has_start=True, written=True) == AGREES
    assert verdict(BAD, Claim.ARCHIVE, [LIVE], has_start=True, written=True) == WRITTEN
