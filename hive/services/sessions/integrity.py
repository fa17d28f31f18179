"""What is known of a repository's integrity: from clients' own checks, and from borg's errors."""

from __future__ import annotations

from dataclasses import dataclass

from hive import clock
from hive.borg.ledger import Facts
from hive.kinds import Access, EventKind, Operation
from hive.models import Alarm, Inspection, Session
from hive.services.alarms import alarms

_FOUND_BY = "a look at the disk"
_ERRORS = {"IntegrityError", "CheckNeeded"}  # what borg calls them in its answers


@dataclass(frozen=True)
class _Look:
    """What a look at the disk has found, as the row of the alarm keeps it."""

    missing: str | None

    @classmethod
    def of(cls, row: Alarm) -> _Look | None:
        """None where something else has found the damage, which says more."""
        is_ours = row.details.get("found_by") == _FOUND_BY
        return cls(row.details.get("missing")) if is_ours else None


async def note_session(session: Session, facts: Facts | None) -> None:
    """Keep what a session that ended tells; call in the transaction that closes it."""
    if facts is None or facts.note is not None:
        return
    is_broken = facts.error is not None and facts.error.kind in _ERRORS
    if facts.check_failed or is_broken:
        found = facts.error.message if is_broken and facts.error else "its borg said what it found"
        message = f"Key {session.key_name} found the repository damaged: {found}"
        await alarms.integrity_error(session.repository_id, message, session_id=session.id)
    await _keep(session, facts)


async def note_look(repository_id: int, missing: str | None) -> None:
    """Keep what a look at the disk shows to be missing; None: everything is there again."""
    row = await Alarm.filter(repository_id=repository_id, kind=EventKind.INTEGRITY_ERROR).first()
    if row is not None and _Look.of(row) is None:
        return
    if missing is not None:
        message = f"The repository is damaged: {missing}."
        await alarms.integrity_error(repository_id, message, found_by=_FOUND_BY, missing=missing)
    elif row is not None:
        await alarms.end(
            repository_id, EventKind.INTEGRITY_ERROR, "What was missing on the disk is back."
        )


async def found_by_looks() -> dict[int, str | None]:
    """What the last looks at the disk found to be missing, by repository."""
    rows = await Alarm.filter(kind=EventKind.INTEGRITY_ERROR)
    looks = [(row.repository_id, _Look.of(row)) for row in rows]
    return {
        repository_id: look.missing
        for repository_id, look in looks
        if repository_id is not None and look is not None
    }


async def _keep(session: Session, facts: Facts) -> None:
    is_proven = facts.check_passed and facts.check_is_whole
    has_compacted = session.operation == Operation.COMPACT and session.access == Access.FULL
    if not (facts.check_failed or is_proven or has_compacted):
        return
    inspection, _ = await Inspection.get_or_create(repository_id=session.repository_id)
    if has_compacted:
        inspection.compacted_at = clock.now()
    else:
        inspection.checked_at = clock.now()
        error = "a client's check found errors" if facts.check_failed else None
        inspection.check_error = error  # type: ignore[assignment]  # TextField's hints know no null
    await inspection.save()
    if is_proven:
        await alarms.integrity_proven(session.repository_id)
