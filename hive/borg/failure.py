"""Whether to notify somebody that a session failed. Pure."""

from __future__ import annotations

from hive.kinds import EndReason, Operation

_AT_WORK = (
    Operation.INIT,
    Operation.CREATE,
    Operation.WRITE,
    Operation.RECREATE,
    Operation.DELETE,
    Operation.COMPACT,
    Operation.REPAIR,
)


def is_worth_telling(
    end_reason: EndReason | None,
    operation: str | None,
    *,
    was_killed: bool = False,
    missed_the_lock: bool = False,
) -> bool:
    """A session that was at work and ended by an error, or by the end of what it may use.

    `was_killed`: the system ended the program. `missed_the_lock`: it wanted to write, and did not
    get the repository's lock in time.

    ==================================  ===============================================
    full quota, full disk               always: no backup fits any more
    killed by the system                always: it happened on the server
    no lock for one that wants to write always: it may have been the backup
    an error of borg's, or failed       only where something was being written: a client
                                        that looks whether a repository is there yet or
                                        types a wrong passphrase failed at nothing that lasts
    refused, client gone, killed, ...   never: it was refused in words, or somebody left;
                                        what is missing for long is reported as late
    ==================================  ===============================================
    """
    if end_reason in (EndReason.QUOTA, EndReason.DISK_FULL):
        return True
    if was_killed or missed_the_lock:
        return True
    return end_reason in (EndReason.BORG_ERROR, EndReason.FAILED) and operation in _AT_WORK
