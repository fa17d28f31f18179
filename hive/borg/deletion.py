"""Whether a session with an append-only key may have taken something out of a repository. Pure.

What such a key deletes stays on the disk until it is compacted. This one rule says whether there
is an alarm, and whether compacting would make a deletion final. Only what is certain counts as no:
a backup may delete the checkpoints that it made itself, compact and with-lock write the manifest
again as it was, and nothing else is put over what is there.
"""

from __future__ import annotations

from hive.borg.ledger import Transaction
from hive.borg.observed import Observed
from hive.kinds import Operation

_HARMLESS = (
    Operation.INIT,
    Operation.CHECK,
    Operation.READ,
    Operation.BREAK_LOCK,
    Operation.KEY_CHANGE,
    Operation.COMPACT,  # borg answers an append-only key that all went well, and does nothing
    Operation.NOTHING,
    Operation.STATUS,
    Operation.EXPORT,
)
_OWN_ARCHIVE_BYTES = 2000  # more than the metadata of one checkpoint takes
_MANIFEST_BYTES = 300


def may_have_deleted(
    operation: str | None, bytes_removed: int | None, observed: Observed | None
) -> bool:
    """Judge by what is kept of the session: see hive/borg/verdict.py and hive/borg/ledger.py."""
    if observed is None:
        return operation not in (Operation.STATUS, Operation.EXPORT)  # nobody watched
    committed = observed.committed or Transaction()
    if committed.read_deletes or committed.other_deletes:
        return True
    if operation in _HARMLESS:
        return bool(bytes_removed)
    if bytes_removed is None:
        return bool(observed.commits)
    if operation != Operation.CREATE:
        return bytes_removed > 0 or bool(committed.own_deletes)
    return bytes_removed > _MANIFEST_BYTES + committed.own_deletes * _OWN_ARCHIVE_BYTES
