"""Runs: what clients report about their backups, paired, and judged by the sessions of that time.

hive/services/reports/verdicts.py says what a report is worth; a report alone never moves a
repository's last backup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from hive import clock, log
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError, NotFound
from hive.kinds import EventKind, Level, Need, RunState, RunVerdict
from hive.models import PingToken, Repository, Run, Session
from hive.sentences import join, say
from hive.services import events, runtime
from hive.services.permissions import Actor, of_visible_repositories, require
from hive.services.reports import logs, space, upgrade, verdicts
from hive.services.reports.logs import Stored
from hive.services.reports.run_notes import RunNotes
from hive.services.reports.tokens import Admitted
from hive.services.reports.verdicts import SeenSession

logger = log.get(__name__)

JUDGE_AFTER = timedelta(minutes=2)  # what clients say comes before or after their session's end
JUDGE_AGAIN = timedelta(minutes=5)  # while a session of that time still runs
JUDGE_IN_THE_END = timedelta(hours=6)
SLACK = timedelta(minutes=1)  # until a backup past the gate is seen
MOST_EVENTS = 20  # of one kind from one token within an hour
LONGEST_ALONE = timedelta(hours=12)  # how long before an end without a start its session may lie
_AT_ONCE = 200
_RID = re.compile(r"[A-Za-z0-9-]{1,64}")


class ReportKind(StrEnum):
    """What one request says; not stored."""

    START = "start"
    LOG = "log"
    FINISH = "finish"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Report:
    kind: ReportKind
    peer: str
    text: str = ""
    exit_status: int | None = None
    rid: str | None = None
    user_agent: str = ""
    size_bytes: int = 0  # of what was sent; more than `text` where it was too long to keep
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """One run as its client told it, and what became of it."""

    id: int
    repository_id: int
    repository: str
    token: str | None
    state: RunState
    verdict: RunVerdict
    started_at: datetime | None
    ended_at: datetime | None
    exit_status: int | None
    peer: str
    user_agent: str
    log: str
    is_judged: bool
    notes: RunNotes


async def receive(admitted: Admitted, report: Report) -> int:
    """Keep the report; the id of the run that it belongs to. Judging comes later.

    The log is in its file before the transaction begins: reading and writing it takes time.
    """
    stored = await logs.store(admitted, report.text) if report.text else None
    run_id, unused = await _receive(admitted, report, stored)
    await logs.remove(admitted.repository_id, [unused])
    await space.keep_within_bounds(admitted.repository_id, run_id)
    return run_id


@transactional
async def _receive(
    admitted: Admitted, report: Report, stored: Stored | None
) -> tuple[int, str | None]:
    """The id of the run, and the file that is not needed any more."""
    now = clock.now()
    await PingToken.filter(id=admitted.token_id).update(last_used_at=now)
    rid = report.rid if report.rid and _RID.fullmatch(report.rid) else None
    run = await _open_run(admitted, rid)
    if report.kind == ReportKind.START and (run is None or rid is None):
        run = _new(admitted, report, rid)
        run.started_at = now
    elif run is None:
        run = _new(admitted, report, rid)
    unused = _take_log(run, report, stored) if stored is not None else None
    if report.kind in (ReportKind.FINISH, ReportKind.FAIL):
        failed = report.kind == ReportKind.FAIL
        run.state = RunState.FAILED if failed else RunState.SUCCEEDED
        run.exit_status = report.exit_status
        run.ended_at = now
        run.judge_at = now + JUDGE_AFTER
    elif run.judge_at is None:
        run.judge_at = now + timedelta(hours=runtime.settings().reports.unfinished_hours)
    await run.save()
    return run.id, unused


async def _open_run(admitted: Admitted, rid: str | None) -> Run | None:
    """The run that this is of: by its rid, or else the newest of this token that is open."""
    mine = Run.filter(token_id=admitted.token_id, state=RunState.RUNNING, rid=rid)
    return await mine.order_by("-id").first()


def _new(admitted: Admitted, report: Report, rid: str | None) -> Run:
    return Run(
        repository_id=admitted.repository_id,
        token_id=admitted.token_id,
        state=RunState.RUNNING,
        peer=report.peer[:64],
        user_agent=report.user_agent[:300],
        rid=rid,
        details={},
    )


def _take_log(run: Run, report: Report, stored: Stored) -> str | None:
    """LOG and the end carry the same text: the longer one is kept. The file that is not."""
    name, size = (stored.file.name, stored.file.bytes) if stored.file else (None, 0)
    notes = RunNotes.of(run)
    if report.size_bytes < notes.sent_bytes:
        return name
    unused = run.log_file
    run.log, run.log_file, run.log_bytes = "", name, size
    replace(
        notes,
        sent_bytes=report.size_bytes,
        is_cut=report.cut or stored.is_cut,
        claim=stored.claim,
        last_lines=stored.last_lines,
    ).store(run)
    return unused


@transactional
async def bring_back() -> int:
    """Judge soon what waits for a time that a wrong clock has put far ahead."""
    now = clock.now()
    longest = timedelta(hours=runtime.settings().reports.unfinished_hours) + JUDGE_IN_THE_END
    return await Run.filter(judge_at__gt=now + longest).update(judge_at=now)


async def judge_due() -> int:
    """Judge the runs whose time has come, close those that never ended; how many."""
    judged = 0
    due = Run.filter(judge_at__lte=clock.now()).order_by("judge_at").limit(_AT_ONCE)
    for row in await due.only("id", "judge_at"):
        try:
            await upgrade.move_into_file(row.id)  # where a former version received it
            judged += await _judge(row.id)
        except (HiveError, DriverError, OSError) as error:
            # one that cannot be judged must not keep the others waiting
            logger.error("a run cannot be judged", run=row.id, reason=str(error))
    return judged


@transactional
async def _judge(run_id: int) -> bool:
    now = clock.now()
    run = await Run.filter(id=run_id, judge_at__lte=now).select_related("repository").first()
    if run is None:
        return False
    if run.state == RunState.RUNNING:
        run.state, run.ended_at = RunState.UNFINISHED, now
    span = await _span(run)
    sessions = await _sessions(run, span)
    ended_at = run.ended_at or now
    waits = any(row.ended_at is None for row in sessions)
    if waits and run.state != RunState.UNFINISHED and now - ended_at < JUDGE_IN_THE_END:
        run.judge_at = now + JUDGE_AGAIN
        await run.save()
        return False
    notes = RunNotes.of(run)
    run.verdict = verdicts.verdict(
        run.state,
        notes.claim,
        [
            SeenSession(row.ended_at is not None, row.operation, row.archive_created)
            for row in sessions
        ],
        has_start=run.started_at is not None,
        written=_was_written(run.repository, span),
    )
    run.judge_at = None
    ids = tuple(row.id for row in sessions)
    replace(notes, last_lines="", session_ids=ids).store(run)
    await run.save()
    await _tell(run, sessions, notes.last_lines)
    return True


@dataclass(frozen=True)
class _Span:
    """The time of a run; `after`: no session of it began before, as the run before it lasted."""

    begun_at: datetime
    ended_at: datetime
    after: datetime | None = None


async def _span(run: Run) -> _Span:
    """The run's time; without a start, what lies between the end before it and its own."""
    ended_at = run.ended_at or clock.now()
    if run.started_at is not None:
        return _Span(run.started_at, ended_at)
    former = Run.filter(repository_id=run.repository_id, token_id=run.token_id, id__lt=run.id)
    last = await former.exclude(ended_at=None).order_by("-id").first()
    earliest = ended_at - LONGEST_ALONE
    return _Span(earliest, ended_at, after=last.ended_at if last is not None else None)


async def _sessions(run: Run, span: _Span) -> list[Session]:
    """The gate's borg sessions that overlap with the run.

    All times are this server's. What ended before the start, or began after the end, is of another
    run, however near; an end may come later, and is waited for.
    """
    overlapping: QuerySet[Session] = Session.filter(
        Q(ended_at=None) | Q(ended_at__gte=span.begun_at),
        repository_id=run.repository_id,
        need=Need.BORG,
        started_at__lte=span.ended_at,
    )
    if span.after is not None:
        overlapping = overlapping.filter(started_at__gt=span.after)
    return await overlapping.order_by("id")


def _was_written(repository: Repository, span: _Span) -> bool:
    """Whether a backup came past the gate, as one made on the server itself does."""
    last = repository.last_backup_at
    if last is None or not repository.last_backup_is_estimated:
        return False
    return max(span.begun_at, span.after or span.begun_at) <= last <= span.ended_at + SLACK


async def _tell(run: Run, sessions: list[Session], last_lines: str) -> None:
    status = (
        ""
        if run.exit_status is None
        else say(" (exit status %(exit_status)s)", exit_status=run.exit_status)
    )
    session_id = sessions[-1].id if sessions else None
    kind, message = None, ""
    if run.verdict == RunVerdict.NOTHING_WRITTEN:
        kind = EventKind.CLIENT_UNPROVEN
        message = (
            say("The client reported success, but no archive was written: no session created one.")
            if sessions
            else say(
                "The client reported success, but no archive was written: it did not connect in"
                " that time."
            )
        )
    elif run.verdict == RunVerdict.WRITTEN:
        kind = EventKind.CLIENT_CONTRADICTED
        message = say(
            "The client reported a failure%(status)s, but an archive was written.", status=status
        )
    elif run.state == RunState.FAILED:
        kind = EventKind.CLIENT_FAILED
        message = say("The client reported a failure%(status)s.", status=status)
    if kind is None:
        return
    told = await _told_lately(run)
    if told == MOST_EVENTS - 1:
        message = say(
            "The client reported the same %(count)s times within an hour: "
            "until it stops, further reports are only listed.",
            count=MOST_EVENTS,
        )
    if told < MOST_EVENTS:
        lines = last_lines if run.state == RunState.FAILED else ""
        await events.record(
            run.repository_id,
            kind,
            join(message, lines.strip(), by="\n"),
            session_id=session_id,
            run=run.id,
            exit_status=run.exit_status,
        )


async def _told_lately(run: Run) -> int:
    """How many runs of this token within an hour before it came to the same; each had its event."""
    since = (run.ended_at or clock.now()) - timedelta(hours=1)
    same = Run.filter(repository_id=run.repository_id, token_id=run.token_id, id__lt=run.id)
    return await same.filter(
        ended_at__gt=since, state=run.state, verdict=run.verdict, judge_at=None
    ).count()


async def list_runs(
    actor: Actor,
    *,
    repository_id: int | None = None,
    limit: int = 50,
    before_id: int | None = None,
) -> list[RunInfo]:
    """The newest runs first, without their logs, of the repositories that the actor may see."""
    query = Run.filter(await of_visible_repositories(actor))
    if repository_id is not None:
        query = query.filter(repository_id=repository_id)
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    rows = await query.order_by("-id").limit(limit).select_related("repository", "token")
    return [_info(row, "") for row in rows]


async def get_run(actor: Actor, run_id: int) -> RunInfo:
    """One run with its log."""
    row = await Run.filter(id=run_id).select_related("repository", "token").first()
    if row is None:
        raise NotFound("There is no such run.")
    try:
        await require(actor, row.repository, Level.VIEW)
    except NotFound:
        raise NotFound("There is no such run.") from None
    return _info(row, await logs.read(row))


def _info(row: Run, text: str) -> RunInfo:
    repository: Repository = row.repository
    return RunInfo(
        id=row.id,
        repository_id=row.repository_id,
        repository=repository.name,
        token=row.token.name if row.token is not None else None,
        state=row.state,
        verdict=row.verdict,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_status=row.exit_status,
        peer=row.peer,
        user_agent=row.user_agent,
        log=text,
        is_judged=row.judge_at is None,
        notes=RunNotes.of(row),
    )
