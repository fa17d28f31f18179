"""Sessions: what runs, what it turned out to be, and what a killed server left open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.expressions import Q

from hive import clock, signals
from hive.borg.failure import is_worth_telling
from hive.borg.ledger import Facts
from hive.borg.repository import Snapshot
from hive.borg.verdict import Evidence, Verdict, is_lock_timeout, judge
from hive.database import after_commit, transactional
from hive.errors import Conflict
from hive.kinds import (
    ArchiveCreated,
    EndReason,
    EventKind,
    Level,
    Need,
)
from hive.models import Repository, Session
from hive.sentences import Size, join, say
from hive.services import audit, events, runtime
from hive.services.alarms import content_alarms
from hive.services.health import days, review
from hive.services.installation import identity
from hive.services.permissions import Actor, require
from hive.services.repositories import former_paths
from hive.services.sessions import failures, integrity, small_backups
from hive.services.sessions.config_versions import keep_config
from hive.services.sessions.infos import visible_session
from hive.services.sessions.rollback_records import note as note_transactions
from hive.waiting import until

_NO_SERVER_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the gate saw of a session that has ended."""

    end_reason: EndReason
    exit_status: int | None
    bytes_in: int
    bytes_out: int
    borg_version: str | None = None
    before: Snapshot | None = None
    after: Snapshot | None = None
    is_dry_run: bool = False  # rsync -n: it changed nothing
    facts: Facts | None = None  # what the observer saw
    refused_methods: tuple[str, ...] = ()  # of borg's protocol, by the gate
    former_path: str | None = None  # by which the repository was opened
    said: str | None = None  # the last message to the client
    could_not_start: bool = False  # its program did not begin to work: a fault of the server
    ended_at: datetime | None = None  # None: just now
    listed: ArchiveCreated | None = None  # how the manifest calls the newest archive
    killed_by: int | None = None  # the signal that ended the program, unless the gate sent it
    holder: str | None = None  # who had the lock that it did not get


@transactional
async def finish(session_id: int, outcome: Outcome) -> None:
    """Close the session: verdict, events and kept copies, in one transaction."""
    session = await Session.get_or_none(id=session_id)
    if session is None or session.ended_at is not None:
        return
    session.ended_at = outcome.ended_at or clock.now()
    session.bytes_in = outcome.bytes_in
    session.bytes_out = outcome.bytes_out
    session.exit_status = _status_of(outcome)
    verdict = judge(_evidence(session.need, outcome))
    _write(session, outcome, verdict)
    await session.save()
    if session.need == Need.STATUS:
        return
    await failures.note_end(session)
    await _note_changes(session, outcome)
    await integrity.note_session(session, outcome.facts)
    if verdict.archive_created == ArchiveCreated.YES:
        await review.note_backup(session.repository_id, session.ended_at, session_id=session.id)
        await small_backups.judge(session)
    if outcome.former_path is not None:
        await former_paths.note(session, outcome.former_path)
    await _record_end(session)
    await _tell_failure(session, outcome)


def _status_of(outcome: Outcome) -> int | None:
    """The exit status, unless the program ended well because the server ended the session."""
    ended_by_us = outcome.end_reason in (EndReason.KILLED, EndReason.REVOKED, EndReason.DRAINED)
    return None if ended_by_us and outcome.exit_status == 0 else outcome.exit_status


async def _tell_failure(session: Session, outcome: Outcome) -> None:
    facts = outcome.facts
    locked = is_lock_timeout(facts) or outcome.holder is not None
    # a session that does not need the repository for itself is not a backup
    no_lock = locked and facts is not None and facts.exclusive
    if not outcome.could_not_start and not is_worth_telling(
        session.end_reason,
        session.operation,
        was_killed=outcome.killed_by is not None and session.end_reason == EndReason.FAILED,
        missed_the_lock=no_lock,
    ):
        return
    what = say("no backup or other change was possible") if no_lock else session.operation
    error = join(": ", session.error, by="") if session.error else "."
    await events.record(
        session.repository_id,
        EventKind.SESSION_FAILED,
        say(
            "Key %(key)s: %(what)s, %(end)s%(error)s",
            key=session.key_name,
            what=what,
            end=session.end_reason,
            error=error,
        ),
        session_id=session.id,
        **({"cause": "lock"} if no_lock else {}),
    )
    await days.note_failed(session.repository_id, session.ended_at or clock.now())


@transactional
async def note_reading(session_id: int, *, only_reads: bool) -> None:
    """Whether a running session lists, mounts or checks alone, or may be a backup after all."""
    await Session.filter(id=session_id, ended_at=None).update(only_reads=only_reads)


def _evidence(need: Need, outcome: Outcome) -> Evidence:
    return Evidence(
        need=need,
        end_reason=outcome.end_reason,
        facts=outcome.facts,
        before=outcome.before,
        after=outcome.after,
        is_dry_run=outcome.is_dry_run,
        refused_methods=outcome.refused_methods,
        said=outcome.said,
        listed=outcome.listed,
        killed_by=outcome.killed_by,
        holder=outcome.holder,
    )


def _write(session: Session, outcome: Outcome, verdict: Verdict) -> None:
    facts = outcome.facts
    seen_version = facts.client_version if facts is not None else None
    version = outcome.borg_version or seen_version
    session.borg_version = version
    session.end_reason = verdict.end_reason
    session.operation = str(verdict.operation)
    session.error = verdict.error  # type: ignore[assignment]  # TextField's hints know no null
    if session.need != Need.BORG:
        return
    note_transactions(session, outcome.before, outcome.after)
    session.archive_created = verdict.archive_created
    session.bytes_added = verdict.bytes_added
    session.bytes_removed = verdict.bytes_removed
    session.bytes_freed = verdict.bytes_freed
    session.reclaimable_bytes = verdict.reclaimable_bytes
    session.observed = asdict(facts) if facts is not None else None


async def _note_changes(session: Session, outcome: Outcome) -> None:
    before, after = outcome.before, outcome.after
    if session.need != Need.BORG or before is None or after is None:
        return
    if after.is_created and not before.is_created:
        await events.record(
            session.repository_id,
            EventKind.CREATED,
            say("Repository created by key %(key_name)s.", key_name=session.key_name),
            session_id=session.id,
        )
    elif before.is_created and not after.is_created:
        await content_alarms.note_gone(session)
    elif before.state != after.state:
        await events.record(
            session.repository_id,
            EventKind.UPDATED,
            say("Repository changed by key %(key_name)s.", key_name=session.key_name),
            session_id=session.id,
        )
    await note_snapshot(session.repository_id, after, session_id=session.id)


async def note_snapshot(
    repository_id: int,
    after: Snapshot,
    *,
    session_id: int | None = None,
    by_hive: bool = False,
    is_brought: bool = False,
) -> None:
    """Keep what the disk tells of the repository: whether it is there, size, its config.

    `by_hive`: the hive itself changed it, so that a new config is not alarming. `is_brought`: it
    has put content with its backups in place.
    """
    repository = await Repository.get(id=repository_id)
    was_there = repository.initialized_at is not None
    if after.is_created != was_there:
        repository.initialized_at = clock.now() if after.is_created else None
    if after.is_created:
        repository.vanished_at = None
    if is_brought and after.is_created:
        repository.emptied_at = None
    elif was_there and not after.is_created:
        repository.emptied_at = clock.now()
    if not after.is_created:
        repository.size_bytes = None
    elif repository.size_bytes is None:
        # A first idea; hive.services.measurements.statistics measures what is on disk.
        repository.size_bytes = after.size_bytes
    repository.known_state = after.state
    await repository.save()
    if after.config is not None:
        await keep_config(
            repository, after.config, session_id, by_hive=by_hive, is_back=not was_there
        )
    if after.is_created != was_there:
        await review.review(repository.id)


async def _record_end(session: Session) -> None:
    kind = {
        Need.BORG: EventKind.CLOSED,
        Need.IMPORT: EventKind.IMPORT_ENDED,
        Need.EXPORT: EventKind.EXPORT_ENDED,
    }[session.need]
    status = (
        ""
        if session.exit_status is None
        else say(", exit status %(exit_status)s", exit_status=session.exit_status)
    )
    await events.record(
        session.repository_id,
        kind,
        say(
            "Key %(key_name)s: %(operation)s, %(end_reason)s%(status)s, %(bytes_in)s in,"
            " %(bytes_out)s out.",
            key_name=session.key_name,
            operation=session.operation or say("unknown"),
            end_reason=session.end_reason,
            status=status,
            bytes_in=Size(session.bytes_in or 0),
            bytes_out=Size(session.bytes_out or 0),
        ),
        session_id=session.id,
    )


@transactional
async def interrupt_left_open() -> int:
    """Close the sessions that cannot run any more; call before the gate listens.

    On a database that other nodes use as well: those of this one, and of former versions, which
    named nodes by their hosts.
    """
    rows = await _of_this_node()
    for session in rows:
        await _interrupt(session)
    return len(rows)


async def _of_this_node() -> list[Session]:
    """The open sessions that no server but this one can be running."""
    query = Session.filter(ended_at=None)
    if not runtime.owns_database():
        query = query.filter(Q(node=runtime.node()) | ~Q(node__startswith=identity.PREFIX))
    return await query


async def _interrupt(session: Session) -> None:
    session.ended_at = clock.now()
    session.end_reason = EndReason.INTERRUPTED
    await session.save()
    await failures.note_end(session)
    if session.need != Need.STATUS:
        await _record_end(session)


async def open_here() -> set[int]:
    """The sessions that are open, and that no server but this one can be running."""
    return {row.id for row in await _of_this_node()}


@transactional
async def close_lost(session_ids: Collection[int]) -> list[int]:
    """Close sessions that nobody runs, as the caller knows for sure; which of them were open."""
    rows = await Session.filter(id__in=list(session_ids), ended_at=None)
    for session in rows:
        await _interrupt(session)
    return [session.id for session in rows]


@transactional
async def kill(actor: Actor, session_id: int) -> None:
    """Have the gate end a running session; it is asked to after commit."""
    session = await visible_session(actor, session_id)
    await require(actor, session.repository, Level.MANAGE)
    if session.ended_at is not None:
        raise Conflict("Session %(session_id)s has ended already.", session_id=session_id)
    await audit.record(
        actor,
        "session.kill",
        f"session {session_id} on {session.repository.name} ({session.login})",
    )
    asked = signals.EndSession(session_id, say("ended by %(user)s", user=actor.name))
    after_commit(lambda: signals.tell(asked))


async def wait_until_closed(repository_id: int, *, seconds: float) -> None:
    """Wait for the sessions on a repository to end; Conflict, which names them, if they do not."""
    if runtime.read_listening() is None:
        seconds = min(seconds, _NO_SERVER_SECONDS)  # nobody is there who would end them

    async def are_closed() -> bool:
        return not await Session.filter(repository_id=repository_id, ended_at=None).exists()

    if not await until(are_closed, seconds=seconds):
        raise Conflict(
            "%(session)s has not ended within %(seconds).0f seconds: is the server"
            " running, or was it killed? Start it and try again.",
            session=await in_the_way(repository_id),
            seconds=seconds,
        )


async def in_the_way(repository_id: int) -> str:
    """The session that has been running longest on a repository, in words; empty if none is."""
    running = Session.filter(repository_id=repository_id, ended_at=None)
    first = await running.exclude(need=Need.STATUS).order_by("id").first()
    if first is None:
        return ""
    return say(
        "Session %(session)s (key %(key)s, since %(started_at)s)",
        session=first.id,
        key=first.key_name,
        started_at=first.started_at,
    )
