"""Rollback, the looking: which states a repository can go back to, and what each session did.

hive/borg/rollback.py decides by the segments; hive/services/rollback/work.py does it.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hive.borg import rollback as borg
from hive.borg.replay import Amount
from hive.borg.repository import last_transaction, read_config
from hive.borg.rollback import Obstacle, ReadingProgress, State, Stopped, Survey
from hive.borg.segments import SegmentError
from hive.errors import Conflict, InvalidInput, NotFound, StorageError
from hive.kinds import Level
from hive.models import ConfigVersion, Repository
from hive.sentences import say
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.sessions import rollback_records
from hive.services.sessions.rollback_records import Written
from hive.services.storage import places

_BORG_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)  # an import can bring anything as one
_TRIES = 3
_CONFIG_SLACK = timedelta(seconds=10)  # its copy is taken when the session has ended


@dataclass(frozen=True, kw_only=True)
class Step:
    """The repository after a transaction, and the session that made it, where one is known.

    The first three amounts are what the transaction did; the last two what going back to here does.
    """

    transaction: int
    at: datetime
    session: Written | None
    ends_session: bool
    added: Amount
    deleted: Amount
    overwritten: Amount
    back: Amount
    dropped: Amount
    obstacle: Obstacle | None
    detail: str
    is_current: bool = False
    config_version: int | None = None  # of that time, where the config is another now

    @property
    def can_be_restored(self) -> bool:
        return self.obstacle is None and not self.is_current


@dataclass(frozen=True, kw_only=True)
class RollbackOutlook:
    """All steps, the newest first."""

    repository_id: int
    name: str
    borg_id: str
    url: str
    steps: tuple[Step, ...]
    is_cut: bool

    @property
    def current(self) -> Step | None:
        return self.steps[0] if self.steps else None

    @property
    def since_compaction(self) -> tuple[Step, ...]:
        """Down to the last one that a compaction has put out of reach."""
        for place, step in enumerate(self.steps):
            if step.obstacle is Obstacle.COMPACTED:
                return self.steps[: place + 1]
        return self.steps


async def look(
    actor: Actor, repository_id: int, reading: ReadingProgress | None = None
) -> RollbackOutlook:
    """Read the repository's log; a large one takes its time, `reading` says how far it is."""
    row = await changeable(actor, repository_id)
    path = repository_infos.place_of(row).repository
    for _ in range(_TRIES):
        before = await asyncio.to_thread(last_transaction, path)
        written = await rollback_records.written(repository_id)
        found = await survey(path, written, reading=reading)
        if before == await asyncio.to_thread(last_transaction, path):
            break  # else a session came in between, and may have compacted
    return await outlook(row, found, written)


async def changeable(actor: Actor, repository_id: int) -> Repository:
    """The repository's row, if the actor may roll it back; Conflict if nobody can."""
    row = await repository_for(actor, repository_id, Level.MANAGE)
    await places.require(row.location)
    where = repository_infos.place_of(row)
    if where.is_borg2:
        raise Conflict(
            "%(name)s is a repository of borg 2, which cannot be rolled back here: run borg"
            " undelete on a client.",
            name=row.name,
        )
    if not where.is_created:
        raise Conflict("%(name)s is not created yet: there is nothing to roll back.", name=row.name)
    return row


async def survey(
    path: Path,
    written: Sequence[Written],
    *,
    verify_until: int | None = None,
    reading: ReadingProgress | None = None,
) -> Survey:
    """hive.borg.rollback.survey in a thread, its errors in words for people."""
    counts = rollback_records.counts(written)
    reading = reading or ReadingProgress()
    try:
        return await asyncio.to_thread(
            borg.survey, path, recorded=counts, verify_until=verify_until, reading=reading
        )
    except asyncio.CancelledError:
        reading.cancel()
        raise
    except Stopped:
        raise Conflict("The rollback was cancelled; nothing was changed.") from None
    except sqlite3.Error as error:
        raise StorageError(
            "The log of the repository cannot be read: the temporary files that this takes"
            " cannot be written (%(error)s).",
            error=error,
        ) from error
    except (SegmentError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(
            "The log of the repository cannot be read: %(reason)s.", reason=reason
        ) from error


async def outlook(row: Repository, found: Survey, written: Sequence[Written]) -> RollbackOutlook:
    await row.fetch_related("location")
    path = repository_infos.place_of(row).repository
    config = await asyncio.to_thread(read_config, path)
    timed = await rollback_records.without_transactions(row.id)
    steps = await asyncio.to_thread(_steps, found, written, timed)
    versions = (
        await ConfigVersion.filter(repository_id=row.id)
        .order_by("id")
        .values("id", "sha256", "created_at")
    )
    return RollbackOutlook(
        repository_id=row.id,
        name=row.name,
        borg_id=config.id
        if config is not None and _BORG_ID.fullmatch(config.id)
        else "REPOSITORY_ID",
        url=repository_infos.url(row.location, row.login, row.directory),
        steps=tuple(_with_config(step, versions) for step in steps),
        is_cut=found.is_cut,
    )


def _steps(found: Survey, written: Sequence[Written], timed: Sequence[Written]) -> list[Step]:
    """One for each transaction, the newest first."""
    sessions = sorted(written, key=lambda one: one.after)
    ends = [one.after for one in sessions]
    steps: list[Step] = []
    for state in reversed(found.states):
        place = bisect_left(ends, state.transaction)
        session = sessions[place] if place < len(sessions) else None
        if session is not None and session.before >= state.transaction:
            session = None
        ends_it = session is not None and session.after == state.transaction
        if session is None and timed:
            session = _at_that_time(state, timed)
            newer = steps[-1].session if steps else None
            ends_it = session is not None and newer is not session
        is_current = state is found.current
        steps.append(_step(state, session, ends_session=ends_it, is_current=is_current))
    steps += _compacted(found, written)
    return sorted(steps, key=lambda step: step.transaction, reverse=True)


def _compacted(found: Survey, written: Sequence[Written]) -> list[Step]:
    """Sessions whose commit is gone: a compaction removes those as well."""
    known = {state.transaction for state in found.states}
    if not known:
        return []
    oldest = min(known) if found.is_cut else -1
    nothing = Amount()
    return [
        Step(
            transaction=one.after,
            at=one.ended_at,
            session=one,
            ends_session=True,
            added=nothing,
            deleted=nothing,
            overwritten=nothing,
            back=nothing,
            dropped=nothing,
            obstacle=Obstacle.COMPACTED,
            detail="its commit is missing",
        )
        for one in written
        if one.after not in known and oldest < one.after < max(known)
    ]


def _at_that_time(state: State, timed: Sequence[Written]) -> Written | None:
    """The session that ran when the segment was written; of those, transactions are not known."""
    place = bisect_right(timed, state.at, key=lambda one: one.started_at)
    session = timed[place - 1] if place else None
    return session if session is not None and state.at <= session.ended_at else None


def _step(state: State, session: Written | None, *, ends_session: bool, is_current: bool) -> Step:
    return Step(
        transaction=state.transaction,
        at=session.ended_at if session is not None and ends_session else state.at,
        session=session,
        ends_session=ends_session,
        added=state.added,
        deleted=state.deleted,
        overwritten=state.overwritten,
        back=state.back,
        dropped=state.dropped,
        obstacle=None if is_current else state.obstacle,
        detail="" if is_current else state.detail,
        is_current=is_current,
    )


def _with_config(step: Step, versions: Sequence[dict[str, object]]) -> Step:
    """Name the version of the config of that time, where another is in place now."""
    before = [one for one in versions if _is_before(one["created_at"], step.at)]
    if not before or before[-1]["sha256"] == versions[-1]["sha256"]:
        return step
    version = before[-1]["id"]
    return replace(step, config_version=version if isinstance(version, int) else None)


def _is_before(created_at: object, at: datetime) -> bool:
    return isinstance(created_at, datetime) and created_at <= at + _CONFIG_SLACK


def find(found: RollbackOutlook, reference: str) -> Step:
    """The step that `SESSION`, `TRANSACTION`, `session:N` or `transaction:N` means."""
    kind, colon, number = reference.strip().rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19) or (
        colon and kind not in ("session", "transaction")
    ):
        raise InvalidInput(
            "%(reference)r is neither a session nor a transaction: give the number of one.",
            field="to",
            reference=reference,
        )
    matches = {step.transaction: step for step in found.steps if _is_meant(step, kind, int(number))}
    if not matches:
        raise NotFound(
            "%(name)s has no session and no transaction %(reference)s to go back to.",
            name=found.name,
            reference=reference,
        )
    if len(matches) > 1:
        raise InvalidInput(
            "%(number)s is a session and another one's transaction: say session:%(number)s or"
            " transaction:%(number)s.",
            field="to",
            number=number,
        )
    return next(iter(matches.values()))


def _is_meant(step: Step, kind: str, number: int) -> bool:
    session = step.session if step.ends_session else None
    is_session = session is not None and session.session_id == number
    is_transaction = step.transaction == number
    return (is_session and kind != "transaction") or (is_transaction and kind != "session")


def require_possible(step: Step, name: str) -> None:
    """Conflict where the repository cannot go back to this step, saying why."""
    number, detail = step.transaction, step.detail
    if step.is_current:
        raise Conflict(
            "%(name)s is in the state of transaction %(number)s already.", name=name, number=number
        )
    match step.obstacle:
        case Obstacle.COMPACTED:
            raise Conflict(
                "%(name)s cannot go back to transaction %(number)s: what it needs was compacted"
                " away since (%(detail)s). Nothing was changed.",
                name=name,
                number=number,
                detail=detail,
            )
        case Obstacle.DAMAGED:
            raise Conflict(
                "%(name)s cannot go back to transaction %(number)s: %(detail)s. Nothing was"
                " changed.",
                name=name,
                number=number,
                detail=detail,
            )
        case Obstacle.MISCOUNTED:
            raise Conflict(
                "%(name)s cannot go back to transaction %(number)s: only %(detail)s. Nothing was"
                " changed.",
                name=name,
                number=number,
                detail=detail,
            )
        case Obstacle.NO_MANIFEST:
            raise Conflict(
                "%(name)s cannot go back to transaction %(number)s: there was no list of archives"
                " then. Nothing was changed.",
                name=name,
                number=number,
            )
        case Obstacle.UNPROVEN:
            raise Conflict(
                "%(name)s cannot go back to transaction %(number)s: nothing proves that all of it"
                " is still there (%(detail)s). Nothing was changed.",
                name=name,
                number=number,
                detail=detail,
            )


def client_commands(found: RollbackOutlook) -> tuple[str, ...]:
    """What a client runs that has seen a newer state: it refuses the older one before."""
    return (
        say("rm -f ~/.config/borg/security/%(borg_id)s/manifest-timestamp", borg_id=found.borg_id),
        say("borg delete --cache-only %(url)s", url=found.url),
    )
