"""What a session's row keeps of its observer is read again as what it was."""

from __future__ import annotations

import json
from dataclasses import asdict

from hive.borg.ledger import Facts, Transaction
from hive.borg.observed import Observed


def test_facts_that_were_kept_are_read_again() -> None:
    committed = Transaction(puts=5, put_bytes=700, read_deletes=1, own_deletes=2, other_deletes=3)
    facts = Facts(commits=2, committed=committed, archive_bytes=300, reads=7)
    kept = json.loads(json.dumps(asdict(facts)))
    expected = Observed(commits=2, committed=committed, archive_bytes=300, reads=7)
    assert Observed.of(kept) == expected


def test_a_session_that_nobody_watched_to_its_end_tells_nothing() -> None:
    assert Observed.of(None) is None
    assert Observed.of(asdict(Facts(note="too large a message"))) is None


def test_what_a_former_version_did_not_keep_is_not_known() -> None:
    assert Observed.of({"commits": 1}) == Observed(commits=1)
    only_some = Observed.of({"committed": {"puts": 3}})
    assert only_some == Observed(committed=Transaction(puts=3))
