"""What a session turned out to be."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from hive.borg.checkpoint import may_be_checkpoint
from hive.borg.ledger import BorgError, Facts, Transaction
from hive.borg.repository import Snapshot
from hive.kinds import ArchiveCreated, EndReason, Need, Operation
from hive.sentences import say

_ENTRY_BYTES = 41  # what borg 1 writes before each object: checksum, size, tag and id
_MANIFEST_SLACK = 300  # bytes by which a manifest can become shorter, compressed as it is
# The same, in bytes, of one that is only written again, as compact and with-lock do: less than one
# archive takes in it.
_SAME_MANIFEST_SLACK = 64
_LOCK_ERRORS = ("LockTimeout", "LockFailed", "LockError", "LockErrorT")  # as borg calls them


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of a session that has ended; `end_reason` is what the gate saw of it.

    `listed` is how the manifest calls the newest archive, where it can be read. `killed_by` is the
    signal that ended the program, unless the gate sent it. `holder` says who had the lock.
    """

    need: Need
    end_reason: EndReason
    facts: Facts | None = None
    before: Snapshot | None = None
    after: Snapshot | None = None
    is_dry_run: bool = False
    refused_methods: tuple[str, ...] = ()  # by the gate
    said: str | None = None  # why the gate ended it
    listed: ArchiveCreated | None = None
    killed_by: int | None = None
    holder: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Bytes are None where they are not known.

    `bytes_added`: put into the repository and committed. `bytes_removed`: no longer part of any
    archive, still on the disk until it is compacted. `bytes_freed`: gone from the disk.
    `reclaimable_bytes`: what a compaction would free now.
    """

    operation: Operation
    archive_created: ArchiveCreated
    end_reason: EndReason
    error: str | None = None
    bytes_added: int | None = None
    bytes_removed: int | None = None
    bytes_freed: int | None = None
    reclaimable_bytes: int | None = None


def judge(evidence: Evidence) -> Verdict:
    """Tell what a session was. The first rule that fits counts; "put" is of more than the manifest.

    ====  ===================================================================  =================
    rule  what was seen                                                        operation
    ====  ===================================================================  =================
     1    rsync, `status`                                                      import, export,
                                                                               dry run, status
     2    the observer was off: the repository appeared                        init
                                it is gone                                     delete repository
                                its state changed                              write
                                else                                           unknown
          the program was not started                                          nothing
     3    `destroy`                                                            delete repository
     4    opened to be created                                                 init
     5    `break_lock`                                                         break-lock
     6    `check`, or ids listed before the manifest was read:  and repaired,
          put, deleted or committed                                            repair
          else                                                                 check
     7    `commit` that compacts, nothing put or deleted                       compact
     8    `save_key`                                                           key change
     9    put one, deleted one that was read, in one transaction               rename
    10    put, later deleted what was read, in more than one transaction       recreate
    11    put and deleted what was read, otherwise                             write
    12    put after reading objects, without asking for their number or ids    recreate (to a new
          first, as a client does that rebuilds its cache                      name, or cut short)
    13    put                                                                  create
    14    deleted, and the manifest put or nothing committed                   delete
    15    committed anything else (the manifest alone: with-lock, a forced     write
          deletion, recreate with nothing to do)
    16    nothing written: read without claiming the repository for itself     read
          else (not opened; prune with nothing to prune; a wrong passphrase)   nothing
    ====  ===================================================================  =================

    An archive was created:

    - yes: it is a create, its newest archive was committed and left alone after that, and the
      client then ended its side in order;
    - partial: the newest archive that was committed was about to be removed again: a checkpoint;
    - no: no archive was committed, or it is not a create;
    - unknown: a create that was cut off after a commit and before the client ended it, or right
      after what may be a checkpoint (hive/borg/checkpoint.py); a write with puts, a change while
      the observer was off. Borg 2 has its own table, in `_of_borg2`.

    Of a create in a repository that is not encrypted, the name in the manifest decides.
    """
    operation = _operation(evidence)
    return Verdict(
        operation=operation,
        archive_created=_archive_created(evidence, operation),
        end_reason=_end(evidence),
        error=_error(evidence),
        **_bytes(evidence),
    )


def _operation(evidence: Evidence) -> Operation:
    facts = evidence.facts
    if evidence.need != Need.BORG:
        return Operation.DRY_RUN if evidence.is_dry_run else Operation(str(evidence.need))
    if facts is None or facts.note is not None:
        return _by_disk(evidence)
    if facts.protocol == "borg 2":
        return _of_borg2(facts)
    written = facts.committed.plus(facts.uncommitted)
    return _special(facts, written) or _of_transactions(facts, written)


def _by_disk(evidence: Evidence) -> Operation:
    before, after = evidence.before, evidence.after
    if before is None or after is None:
        return Operation.UNKNOWN
    if before.is_created != after.is_created:
        return Operation.INIT if after.is_created else Operation.DELETE_REPOSITORY
    if before.state != after.state:
        return Operation.WRITE
    # Without an observer, the program was never started: the client had left by then.
    return Operation.UNKNOWN if evidence.facts is not None else Operation.NOTHING


def _special(facts: Facts, written: Transaction) -> Operation | None:
    """Operations that have a separate method."""
    calls = facts.calls
    if "destroy" in calls:
        return Operation.DELETE_REPOSITORY
    if facts.create:
        return Operation.INIT
    if "break_lock" in calls:
        return Operation.BREAK_LOCK
    if facts.check or facts.listed_first:
        repaired = facts.repair or not written.is_empty or facts.commits
        return Operation.REPAIR if repaired else Operation.CHECK
    if written.compacts and not written.puts and not written.deletes:
        return Operation.COMPACT
    return Operation.KEY_CHANGE if "save_key" in calls else None


def _of_transactions(facts: Facts, written: Transaction) -> Operation:
    if written.puts and written.read_deletes:
        if (written.puts, written.deletes) == (1, 1) and facts.commits <= 1:
            return Operation.RENAME
        later = facts.commits and facts.first.puts and not facts.first.deletes
        return Operation.RECREATE if later else Operation.WRITE
    if written.puts:
        return Operation.RECREATE if facts.reads_first and not facts.counted else Operation.CREATE
    if written.deletes and (written.manifests or not facts.commits):
        return Operation.DELETE
    if facts.commits or not written.is_empty:
        return Operation.WRITE
    reads = facts.is_open and not facts.exclusive and "get" in facts.calls
    return Operation.READ if reads else Operation.NOTHING


def _of_borg2(facts: Facts) -> Operation:
    """Borg 2 by what was stored and deleted where.

    The store is destroyed: delete repository; created, or its first config or key stored (each in
    a session of its own): init. Archives stored: rename or recreate where others went too ("write",
    the two look alike), else create. Archives deleted: delete. Keys stored: key change. Packs or
    what was deleted before removed for good: compact. Else packs stored: write; packs
    verified: check; anything read: read. What goes into locks, index and cache says nothing.
    """
    calls = facts.calls
    stored, gone = "store archives" in calls, "delete archives" in calls
    first_config = "store config" in calls and "load config" not in calls
    first_key = "store keys" in calls and "list keys" not in calls
    rules = (
        ("destroy" in calls, Operation.DELETE_REPOSITORY),
        (facts.create or first_config or first_key, Operation.INIT),
        (stored and gone, Operation.WRITE),
        (stored, Operation.CREATE),
        (gone, Operation.DELETE),
        ("undelete archives" in calls, Operation.WRITE),
        ("store keys" in calls or "delete keys" in calls, Operation.KEY_CHANGE),
        ("remove archives" in calls or "remove packs" in calls, Operation.COMPACT),
        ("defrag packs" in calls, Operation.COMPACT),
        ("store packs" in calls, Operation.WRITE),
        ("hash packs" in calls, Operation.CHECK),
        ("load archives" in calls or "load packs" in calls, Operation.READ),
        ("load config" in calls or "list archives" in calls, Operation.READ),
    )
    return next((operation for fits, operation in rules if fits), Operation.NOTHING)


def _archive_created(evidence: Evidence, operation: Operation) -> ArchiveCreated:
    facts = evidence.facts
    if operation == Operation.WRITE:
        sure = facts is not None and facts.note is None and not facts.committed.puts
        return ArchiveCreated.NO if sure else ArchiveCreated.UNKNOWN
    if operation != Operation.CREATE or facts is None or not facts.archives:
        return ArchiveCreated.NO
    if evidence.listed is not None:
        return evidence.listed
    return ArchiveCreated.PARTIAL if facts.checkpoint else _by_its_end(evidence, facts)


def _by_its_end(evidence: Evidence, facts: Facts) -> ArchiveCreated:
    """Whether the archive that was committed last is complete, by how the session ended."""
    if facts.timing is not None and may_be_checkpoint(facts.timing):
        return ArchiveCreated.UNKNOWN
    ended = evidence.end_reason in {EndReason.DONE, EndReason.FAILED} and facts.eof
    if ended and not facts.cut and facts.uncommitted.is_empty:
        return ArchiveCreated.YES
    return ArchiveCreated.UNKNOWN


def _end(evidence: Evidence) -> EndReason:
    """What the gate saw, made more exact: borg serve ends in peace after any error it answered."""
    facts, reason = evidence.facts, evidence.end_reason
    if reason not in {EndReason.DONE, EndReason.FAILED}:
        return reason
    if evidence.refused_methods and evidence.killed_by is None:
        return EndReason.REFUSED
    if facts is None or evidence.killed_by is not None:
        return reason
    if facts.error is not None and facts.error_was_last:
        return _end_by_error(facts.error)
    if facts.rolled_back:
        return EndReason.FAILED
    broke_off = facts.cut or not facts.uncommitted.is_empty
    return EndReason.CLIENT_GONE if broke_off else reason


def _end_by_error(error: BorgError) -> EndReason:
    if error.kind == "StorageQuotaExceeded":
        return EndReason.QUOTA
    full = error.kind == "InsufficientFreeSpaceError" or "No space left on device" in error.message
    return EndReason.DISK_FULL if full else EndReason.BORG_ERROR


def _error(evidence: Evidence) -> str | None:
    if evidence.said is not None:
        return evidence.said
    if evidence.killed_by is not None:
        return _killed(evidence.killed_by)
    if evidence.refused_methods:
        return say("refused: %(methods)s", methods=", ".join(evidence.refused_methods))
    facts = evidence.facts
    if facts is None or facts.error is None or not facts.error_was_last:
        return None
    error = facts.error.message or facts.error.kind
    return f"{error} {evidence.holder}" if evidence.holder else error


def _killed(number: int) -> str:
    """What is known of a program that a signal ended."""
    cause = say(" (perhaps because memory ran out)") if number == signal.SIGKILL else ""
    return say(
        "The server's program was killed by signal %(number)s%(cause)s.", number=number, cause=cause
    )


def is_lock_timeout(facts: Facts | None) -> bool:
    """Whether the session failed because somebody else had the repository's lock."""
    return (
        facts is not None
        and facts.error is not None
        and facts.error_was_last
        and facts.error.kind in _LOCK_ERRORS
    )


def was_not_opened(facts: Facts | None) -> bool:
    """Whether the server's borg answered an error to the request to open the repository."""
    return (
        facts is not None
        and not facts.is_open
        and facts.error is not None
        and facts.error.method == "open"
    )


def _bytes(evidence: Evidence) -> dict[str, int | None]:
    before, after, facts = evidence.before, evidence.after, evidence.facts
    if evidence.need != Need.BORG or before is None or after is None:
        return {}
    known = facts is not None and facts.note is None
    added = facts.committed.put_bytes if facts is not None and known else None
    then, now = _live(before), _live(after)
    removed = None
    if facts is not None and known and then is not None and now is not None:
        # What was put over something else is removed too, though nothing was deleted.
        put = facts.committed.put_bytes + facts.committed.puts * _ENTRY_BYTES
        removed = max(0, then + put - now)
        is_same = not facts.committed.puts
        slack = _SAME_MANIFEST_SLACK * facts.committed.manifests if is_same else _MANIFEST_SLACK
        if not facts.committed.deletes and removed <= slack:
            removed = 0
    freed = None
    if before.size_bytes is not None and after.is_created and after.size_bytes is not None:
        freed = max(0, before.size_bytes - after.size_bytes)
    return {
        "bytes_added": added,
        "bytes_removed": removed,
        "bytes_freed": freed,
        "reclaimable_bytes": after.compactable_bytes,
    }


def _live(snapshot: Snapshot) -> int | None:
    if snapshot.size_bytes is None or snapshot.compactable_bytes is None:
        return None
    return snapshot.size_bytes - snapshot.compactable_bytes
