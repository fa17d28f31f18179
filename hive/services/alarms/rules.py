"""What is alarming, told from numbers alone. Pure.

what                      when
mass deletion             a session made more than the set share of the live data reclaimable
                          (deleting the repository itself is another alarm)
append-only deletion      an append-only key may have deleted something: hive/borg/deletion.py
shrunk                    data is gone beyond the set share, and no session of ours did it
went back                 past the gate, to an earlier transaction
content gone              past the gate
replaced                  its id or its encryption differs from before, no matter who did it
quota, disk               a step (80, 90, 100 or 80, 90, 95 %) is passed; it is over when the share
                          falls two points below the step
stale lock                its holder is a dead process of this server, or it is older than set

Renaming an archive writes its description again, so that live data becomes some bytes less: that
is no mass deletion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hive.kinds import Access, EventKind, Operation
from hive.sentences import Size, join, say

DISK_STEPS = (80, 90, 95)
_SLACK = 2.0  # percent points below a step before it is over
_SMALLEST = 1_000_000  # bytes; trying things out raises no alarm
_NO_DELETION = (Operation.RENAME, Operation.INIT, Operation.CREATE)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """A repository's numbers at one time; borg 2 tells its size alone."""

    size_bytes: int
    live_bytes: int | None = None
    reclaimable_bytes: int | None = None
    transaction: int | None = None
    borg_id: str | None = None
    encryption: str | None = None
    is_repository: bool = True


@dataclass(frozen=True, kw_only=True)
class Cause:
    """The session that lies between two measurements."""

    access: Access
    operation: str | None
    key_name: str
    may_have_deleted: bool = False
    bytes_removed: int | None = None


@dataclass(frozen=True)
class Finding:
    kind: EventKind
    message: str
    details: dict[str, Any] = field(default_factory=dict)


def of_session(before: Usage, after: Usage, cause: Cause, mass_percent: int) -> list[Finding]:
    """What is alarming about what a session did."""
    had, has, is_live = _data(before, after)
    lost = had - has
    details = _numbers(before, after)
    found = []
    percent = 100 * lost / had if had else 0.0
    # a size alone falls by compaction as well
    deletes = is_live and after.is_repository and cause.operation not in _NO_DELETION
    if deletes and percent > mass_percent and lost >= _SMALLEST:
        found.append(
            Finding(
                EventKind.MASS_DELETION,
                say(
                    "Key %(key)s deleted %(percent).0f %% of the data: %(lost)s of %(had)s.",
                    key=cause.key_name,
                    percent=percent,
                    lost=Size(lost),
                    had=Size(had),
                ),
                details,
            )
        )
    if cause.access == Access.APPEND_ONLY and cause.may_have_deleted:
        removed = max(lost, cause.bytes_removed or 0)
        what = (
            say("deleted %(size)s", size=Size(removed))
            if removed > 0
            else say("may have deleted something")
        )
        found.append(
            Finding(
                EventKind.APPEND_ONLY_DELETION,
                say(
                    "Append-only key %(key)s %(what)s. Nothing is lost until the repository "
                    "is compacted.",
                    key=cause.key_name,
                    what=what,
                ),
                details,
            )
        )
    return found


def of_change(before: Usage, after: Usage, shrink_percent: int) -> list[Finding]:
    """What is alarming about a change that no session of ours explains."""
    had, has, _ = _data(before, after)
    percent = 100 * (had - has) / had if had else 0.0
    went_back = (
        before.borg_id == after.borg_id
        and before.transaction is not None
        and after.transaction is not None
        and after.transaction < before.transaction
    )
    kind = EventKind.SHRUNK
    if went_back:
        kind = EventKind.WENT_BACK
        what = say(
            "The repository went back from transaction %(before)s to "
            "%(after)s: an older copy is in its place",
            before=before.transaction,
            after=after.transaction,
        )
    elif before.is_repository and not after.is_repository:
        kind = EventKind.CONTENT_GONE
        what = say("The repository's content is gone from the disk")
    elif percent > shrink_percent and had - has >= _SMALLEST:
        what = say(
            "The repository shrank by %(percent).0f %%, and no known session did it",
            percent=percent,
        )
    else:
        return []
    sizes = say("%(before)s before, %(now)s now", before=Size(had), now=Size(has))
    return [
        Finding(kind, say("%(what)s: %(sizes)s.", what=what, sizes=sizes), _numbers(before, after))
    ]


def of_identity(before: Usage, after: Usage) -> list[Finding]:
    """Whether another repository is in its place, or it is encrypted in another way."""
    changes = []
    if before.borg_id and after.borg_id and before.borg_id != after.borg_id:
        changes.append(
            say(
                "its id was %(before)s and is %(after)s",
                before=before.borg_id,
                after=after.borg_id,
            )
        )
    known = {None, "", "unknown"}
    encryptions = before.encryption, after.encryption
    if encryptions[0] != encryptions[1] and not known & set(encryptions):
        changes.append(
            say(
                "its encryption was %(before)s and is %(after)s",
                before=encryptions[0],
                after=encryptions[1],
            )
        )
    if not changes:
        return []
    message = say(
        "This is not the same repository as before: %(changes)s.", changes=join(*changes, by=", ")
    )
    return [Finding(EventKind.REPLACED, message, _numbers(before, after))]


def _data(before: Usage, after: Usage) -> tuple[int, int, bool]:
    """What can be compared of both, and whether that is live data; else it is sizes."""
    if before.live_bytes is not None and after.live_bytes is not None:
        return before.live_bytes, after.live_bytes, True
    return before.size_bytes, after.size_bytes, False


def _numbers(before: Usage, after: Usage) -> dict[str, Any]:
    had, has, _ = _data(before, after)
    return {
        "lost_bytes": had - has,
        "lost_percent": round(100 * (had - has) / had, 1) if had else 0.0,
        "live_bytes_before": before.live_bytes,
        "live_bytes": after.live_bytes,
        "size_bytes_before": before.size_bytes,
        "size_bytes": after.size_bytes,
        "reclaimable_bytes": after.reclaimable_bytes,
        "transaction_before": before.transaction,
        "transaction": after.transaction,
    }


def level(percent: float, steps: Sequence[int], current: int) -> int:
    """The step that is passed, 0 for none; one that was passed holds until it is well below."""
    reached = max((step for step in steps if percent >= step), default=0)
    held = max((step for step in steps if step <= current and percent > step - _SLACK), default=0)
    return max(reached, held)


def is_overdue(since: datetime | None, now: datetime, hours: int) -> bool:
    """Whether a lock is older than any backup should take."""
    return since is not None and now - since > timedelta(hours=hours)
