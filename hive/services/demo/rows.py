"""What happened to a repository of the demo, as rows of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hive.borg.encryption import Encryption
from hive.borg.facts import Kind
from hive.database import transactional
from hive.kinds import (
    ArchiveCreated,
    EndReason,
    EventKind,
    Health,
    Mode,
    Need,
    Operation,
)
from hive.models import (
    Event,
    Grant,
    HealthChange,
    Inspection,
    Repository,
    RepositoryTag,
    Session,
    Statistic,
)
from hive.models.table import Table
from hive.schedule import Outlook, Schedule
from hive.sentences import Size, say
from hive.services.demo.shapes import Shape
from hive.services.demo.timeline import Run, RunKind, Timeline
from hive.services.health.wording import HealthReport
from hive.services.keys.infos import KeyInfo

_FIRST = (Repository, Session)  # others refer to them
_BATCH = 400  # rows of a statement
_CLIENT = "SSH-2.0-OpenSSH_9.9p2"
_BORG = "1.4.1"
NODE = "demo"  # of sessions that no server runs
_SEGMENT = 500 * 10**6


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A repository that is being made up: what it is like, whose it is, and what happened."""

    id: int
    shape: Shape
    name: str
    owner_id: int
    location_id: int
    key: KeyInfo
    address: str
    past: Timeline
    schedule: Schedule
    login: str


@dataclass
class Rows:
    """Rows that are to be stored together, and the ids of sessions so far."""

    last_session: int = 0
    sessions: dict[tuple[int, int], int] = field(default_factory=dict)
    latest: dict[int, int] = field(default_factory=dict)  # the last session of each repository
    tables: dict[type[Table], list[Any]] = field(default_factory=dict)
    count: int = 0

    def add(self, row: Table) -> None:
        self.tables.setdefault(type(row), []).append(row)
        self.count += 1

    @transactional
    async def store(self) -> None:
        """What others refer to first."""
        for table, rows in sorted(self.tables.items(), key=lambda one: one[0] not in _FIRST):
            await table.bulk_create(rows, batch_size=_BATCH)
        self.tables.clear()
        self.count = 0


@dataclass(frozen=True)
class Moment:
    """Something that happened to a repository."""

    at: datetime
    subject: Subject
    add: Callable[[Rows, Subject, int], None]
    number: int  # of the run or the turn

    def store_in(self, rows: Rows) -> None:
        self.add(rows, self.subject, self.number)


def moments(one: Subject) -> Iterator[Moment]:
    """All that happened to a repository, to be stored in the order of time with all others."""
    for number, run in enumerate(one.past.runs):
        yield Moment(run.started_at, one, _open, number)
        if run.ended_at is not None:
            yield Moment(run.ended_at, one, _close, number)
    for number, turn in enumerate(one.past.turns):
        yield Moment(turn.at, one, _turn, number)


def add_repository(rows: Rows, one: Subject, now: datetime) -> None:
    """The repository as it is now, without what happened to it."""
    shape, past = one.shape, one.past
    last = past.last_backup_at
    quota = None
    if shape.quota_percent is not None:
        quota = int((past.size or 195 * 10**8) * 100 / shape.quota_percent)
    rows.add(
        Repository(
            id=one.id,
            name=one.name,
            directory=one.name,
            login=one.login,
            days_known=False,  # the server draws them up from the history
            location_id=one.location_id,
            owner_id=one.owner_id,
            quota_bytes=quota,
            size_bytes=past.size,
            occupied_bytes=past.size,
            initialized_at=past.runs[0].started_at if past.runs else None,
            last_backup_at=last,
            last_access_at=max((run.ended_at or now for run in past.runs), default=None),
            created_at=past.created_at,
            schedule_kind=one.schedule.kind,
            schedule_seconds=_seconds(one.schedule.interval),
            schedule_cron=one.schedule.cron,
            schedule_timezone=one.schedule.timezone,
            health=past.health,
            health_since=past.health_since,
            due_at=past.due_at,
            look_at=None if past.health == Health.UNWATCHED else now,
            alerted_at=past.health_since if past.health == Health.DOWN else None,
            remind_at=now + timedelta(hours=6) if past.health == Health.DOWN else None,
            paused_until=now + timedelta(days=20) if shape.is_paused else None,
            muted_until=now + timedelta(days=2) if shape.is_muted else None,
        )
    )
    rows.add(
        Grant(
            repository_id=one.id, key_id=one.key.id, access=shape.access, created_at=past.created_at
        )
    )
    for tag in shape.tags:
        rows.add(RepositoryTag(repository_id=one.id, tag=tag))
    if past.size is not None:
        _add_inspection(rows, one, past.size, now)


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def _open(rows: Rows, one: Subject, number: int) -> None:
    run = one.past.runs[number]
    rows.last_session += 1
    rows.sessions[one.id, number] = rows.latest[one.id] = rows.last_session
    rows.add(
        Session(
            id=rows.last_session,
            repository_id=one.id,
            login=one.login,
            key_id=one.key.id,
            key_fingerprint=one.key.fingerprint,
            key_name=one.key.name,
            peer=one.address,
            client=_CLIENT,
            borg_version=_BORG,
            command="borg serve --umask=077",
            need=Need.BORG,
            mode=Mode.BORG,
            access=one.shape.access,
            started_at=run.started_at,
            ended_at=run.ended_at,
            node=NODE,
            **({} if run.ended_at is None else _outcome(run)),
        )
    )
    words = say(
        "Key %(name)s from %(peer)s, %(access)s access.",
        name=one.key.name,
        peer=one.address,
        access=one.shape.access,
    )
    note(rows, one, run.started_at, EventKind.OPENED, words, session_id=rows.last_session)


def _outcome(run: Run) -> dict[str, Any]:
    """The columns of a session that has ended."""
    is_well = run.kind != RunKind.FAILED
    is_made = run.kind == RunKind.MADE
    return {
        "operation": str(_OPERATIONS.get(run.kind, Operation.CREATE)),
        "bytes_in": run.bytes_in,
        "bytes_out": run.bytes_out,
        "bytes_added": run.bytes_in if is_made else None,
        "bytes_removed": run.bytes_removed if is_well else None,
        "observed": _OBSERVED.get(run.kind, {"commits": 0}),
        "exit_status": 0 if is_well else None,
        "end_reason": EndReason.DONE if is_well else EndReason.CLIENT_GONE,
        "archive_created": ArchiveCreated.YES if is_made else ArchiveCreated.NO,
        "only_reads": run.kind == RunKind.READ,
    }


_OPERATIONS = {RunKind.READ: Operation.READ, RunKind.DELETED: Operation.DELETE}
_OBSERVED = {  # what hive/borg/observed.py reads of it
    RunKind.MADE: {"commits": 1},
    RunKind.DELETED: {"commits": 1, "committed": {"other_deletes": 1}},
}


def _close(rows: Rows, one: Subject, number: int) -> None:
    run, session = one.past.runs[number], rows.sessions.pop((one.id, number))
    at = run.ended_at or run.started_at
    if run.kind == RunKind.MADE:
        changed = say("Repository changed by key %(key_name)s.", key_name=one.key.name)
        note(rows, one, at, EventKind.UPDATED, changed, session_id=session)
        rows.add(
            Statistic(
                repository_id=one.id,
                at=at,
                size_bytes=run.size_after,
                live_bytes=run.size_after,
                reclaimable_bytes=0,
                segments=run.size_after // _SEGMENT + 2,
            )
        )
    outcome = _outcome(run)
    has_status = outcome["exit_status"] is not None
    words = say(
        "Key %(key_name)s: %(operation)s, %(end_reason)s%(status)s, %(bytes_in)s in,"
        " %(bytes_out)s out.",
        key_name=one.key.name,
        operation=outcome["operation"],
        end_reason=outcome["end_reason"],
        status=say(", exit status %(exit_status)s", exit_status=0) if has_status else "",
        bytes_in=Size(run.bytes_in),
        bytes_out=Size(run.bytes_out),
    )
    note(rows, one, at, EventKind.CLOSED, words, session_id=session)
    if run.kind == RunKind.FAILED:
        failed = say(
            "Key %(key)s: %(what)s, %(end)s%(error)s",
            key=one.key.name,
            what=outcome["operation"],
            end=outcome["end_reason"],
            error=".",
        )
        note(rows, one, at, EventKind.SESSION_FAILED, failed, session_id=session)


def _turn(rows: Rows, one: Subject, number: int) -> None:
    turn = one.past.turns[number]
    report = HealthReport(
        schedule=one.schedule,
        outlook=Outlook(turn.health, turn.was_due_at, turn.was_due_at + one.schedule.grace, None),
        created_at=one.past.created_at,
        last_backup_at=turn.last_backup_at,
        former=turn.former,
        since=turn.since,
        was_due_at=turn.was_due_at,
        now=turn.at,
    )
    rows.add(
        HealthChange(
            repository_id=one.id,
            at=turn.at,
            former=turn.former,
            health=turn.health,
            lasted_seconds=int(report.lasted.total_seconds()),
        )
    )
    kind, words = {
        Health.LATE: (EventKind.LATE, report.late),
        Health.DOWN: (EventKind.DOWN, report.down),
        Health.FINE: (EventKind.RECOVERED, report.recovered),
    }[turn.health]
    note(rows, one, turn.at, kind, words(), **report.details())


def note(
    rows: Rows,
    one: Subject,
    at: datetime,
    kind: EventKind,
    message: str,
    *,
    session_id: int | None = None,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """An event."""
    rows.add(
        Event(
            at=at,
            repository_id=one.id,
            session_id=session_id,
            kind=kind,
            message=message,
            details=details,
        )
    )


def _add_inspection(rows: Rows, one: Subject, size: int, now: datetime) -> None:
    last = one.past.last_backup_at or now
    rows.add(
        Inspection(
            repository_id=one.id,
            at=last + timedelta(minutes=1),
            kind=str(Kind.BORG1),
            version=1,
            borg_id=f"{one.id:064x}",
            encryption=str(Encryption.NONE if one.shape.is_unencrypted else Encryption.REPOKEY),
            append_only=False,
            transaction=2 * len(one.past.runs) + 1,
            state=f"demo-{one.id}",
            size_bytes=size,
            quota_use_bytes=size,
            live_bytes=size,
            reclaimable_bytes=0,
            objects=size // 800_000,
            growth_bytes_per_week=int(one.shape.growth * 10**9),
            checked_at=now - timedelta(days=3 + one.id % 9),
            compacted_at=now - timedelta(days=1 + one.id % 6),
        )
    )
