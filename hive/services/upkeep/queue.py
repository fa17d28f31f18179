"""Upkeep: checks and compactions that the server's own borg does; what is wanted, and what came.

hive/services/upkeep/worker.py does the work. A row is one whole check or compaction: it may take
several turns, as sessions have precedence and a scheduled one has so many minutes a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hive import clock, signals
from hive.borg import upkeep as borg
from hive.borg.facts import Kind
from hive.database import after_commit, transactional
from hive.errors import Conflict, Forbidden
from hive.formats import format_duration
from hive.kinds import EventKind, Level, Mode, UpkeepKind, UpkeepState
from hive.models import Inspection, Repository, Upkeep
from hive.sentences import Sentence, Size, say
from hive.services import audit, events, runtime
from hive.services.alarms import alarms
from hive.services.installation import presence
from hive.services.permissions import Actor, repository_for
from hive.services.sessions import record
from hive.services.storage import places
from hive.services.upkeep import append_only
from hive.services.upkeep.parts import Parts

OPEN = (UpkeepState.WAITING, UpkeepState.RUNNING, UpkeepState.PAUSED)
_WORTH_COMPACTING = 1_000_000  # reclaimable bytes


@dataclass(frozen=True, kw_only=True)
class UpkeepInfo:
    """`asked_by` is None for the schedule's; `message` is how it ended, in a sentence."""

    id: int
    repository_id: int
    kind: UpkeepKind
    state: UpkeepState
    asked_by: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: int
    interruptions: int
    message: str
    problems: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


async def ask(
    actor: Actor, repository_id: int, kind: UpkeepKind, *, is_confirmed: bool = False
) -> UpkeepInfo:
    """Want a check or compaction as soon as no session runs; one that is open already counts.

    `is_confirmed`: what append-only keys have deleted may go for good; administrators only.
    Conflict where it cannot be done at all, or must be confirmed.
    """
    await places.require_for(repository_id)
    return await _ask(actor, repository_id, kind, is_confirmed=is_confirmed)


@transactional
async def _ask(
    actor: Actor, repository_id: int, kind: UpkeepKind, *, is_confirmed: bool
) -> UpkeepInfo:
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    if is_confirmed and not actor.is_admin:
        raise Forbidden("Only an administrator confirms what append-only keys have deleted.")
    await _require_possible(repository, kind, is_confirmed=is_confirmed)
    row = await Upkeep.filter(repository_id=repository_id, kind=kind, state__in=OPEN).first()
    if row is None:
        row = _new(repository_id, kind)
    row.asked_by = row.asked_by or actor.name
    row.is_confirmed = row.is_confirmed or is_confirmed
    if row.state == UpkeepState.PAUSED:
        row.state = UpkeepState.WAITING
    await row.save()
    await audit.record(
        actor,
        f"repository.{kind}",
        audit.name_of(repository),
        confirmed=is_confirmed or None,
    )
    after_commit(lambda: signals.tell(signals.UpkeepWanted(repository_id)))
    return info_of(row)


def _new(repository_id: int, kind: UpkeepKind) -> Upkeep:
    return Upkeep(
        repository_id=repository_id,
        kind=kind,
        state=UpkeepState.WAITING,
        created_at=clock.now(),
        details={},
    )


async def _require_possible(
    repository: Repository, kind: UpkeepKind, *, is_confirmed: bool
) -> None:
    if repository.initialized_at is None:
        raise Conflict(
            "%(name)s is not created yet: there is nothing to %(kind)s.",
            name=repository.name,
            kind=kind,
        )
    if repository.mode == Mode.IMPORT:
        raise Conflict("%(name)s is in mode IMPORT: switch it to BORG first.", name=repository.name)
    if kind != UpkeepKind.COMPACT:
        return
    inspection = await Inspection.get_or_none(repository_id=repository.id) or Inspection()
    if inspection.kind == Kind.BORG2:
        raise Conflict(
            "%(name)s is a repository of borg 2: compacting it needs its passphrase, "
            "which this server does not have. Run borg compact on a client.",
            name=repository.name,
        )
    if inspection.append_only:
        raise Conflict(
            "%(name)s is append-only by its own config (borg config append_only): borg does"
            " not compact it.",
            name=repository.name,
        )
    found = [] if is_confirmed else await append_only.deletions(repository.id)
    if found:
        raise Conflict(append_only.in_words(found))


async def list_upkeeps(actor: Actor, repository_id: int, *, limit: int = 20) -> list[UpkeepInfo]:
    """The newest first, for who may see the repository."""
    await repository_for(actor, repository_id, Level.VIEW, deleted=True)
    rows = await Upkeep.filter(repository_id=repository_id).order_by("-id").limit(limit)
    return [info_of(row) for row in rows]


async def get(upkeep_id: int) -> UpkeepInfo:
    """For who has asked for it."""
    return info_of(await Upkeep.get(id=upkeep_id))


async def waits_for(info: UpkeepInfo) -> str:
    """What somebody waits for who wants this upkeep, in a sentence."""
    if info.state == UpkeepState.RUNNING:
        return say("The %(kind)s is running.", kind=info.kind)
    row = await Repository.get(id=info.repository_id)
    other = await record.in_the_way(row.id)
    if other:
        return say("The %(kind)s waits: %(other)s is running.", kind=info.kind, other=other)
    if row.maintenance is not None:
        return say(
            "The %(kind)s waits: %(repository)s is busy, %(maintenance)s.",
            kind=info.kind,
            repository=row.name,
            maintenance=Sentence(row.maintenance),
        )
    return say("The %(kind)s waits for its turn.", kind=info.kind)


@transactional
async def queue_due() -> int:
    """Want what the schedule says is due, and go on with what was paused; how many there are."""
    settings, now = runtime.settings().upkeep, clock.now()
    wanted = await Upkeep.filter(state=UpkeepState.PAUSED).update(state=UpkeepState.WAITING)
    for kind, days in (
        (UpkeepKind.CHECK, settings.check_days),
        (UpkeepKind.COMPACT, settings.compact_days),
    ):
        if days == 0:
            continue
        due_before = now - timedelta(days=days)
        for repository_id in await _due(kind, due_before):
            await _new(repository_id, kind).save()
            wanted += 1
    if wanted:
        after_commit(lambda: signals.tell(signals.UpkeepWanted(0)))
    return wanted


async def _due(kind: UpkeepKind, due_before: datetime) -> list[int]:
    """Repositories whose last one, or whose beginning, lies before this time."""
    lately = Upkeep.filter(kind=kind, created_at__gte=due_before)
    unfinished = Upkeep.filter(kind=kind, state__in=OPEN)
    tried = {
        row["repository_id"]
        for query in (lately, unfinished)
        for row in await query.values("repository_id")
    }
    query = Inspection.filter(
        repository__deleted_at=None,
        repository__initialized_at__lt=due_before,
        repository__mode__not=Mode.IMPORT,
    ).exclude(repository__location_id__in=list(presence.away()))
    if kind == UpkeepKind.COMPACT:
        query = query.filter(
            kind=Kind.BORG1, append_only=False, reclaimable_bytes__gte=_WORTH_COMPACTING
        )
    else:
        query = query.filter(kind__in=(Kind.BORG1, Kind.BORG2))
    when = "checked_at" if kind == UpkeepKind.CHECK else "compacted_at"
    rows = await query.order_by("repository_id").values("repository_id", when)
    return [
        int(row["repository_id"])
        for row in rows
        if row["repository_id"] not in tried and (row[when] is None or row[when] < due_before)
    ]


@transactional
async def resume_all() -> int:
    """Have what a killed server was at done again; call at start."""
    return await Upkeep.filter(state=UpkeepState.RUNNING).update(state=UpkeepState.WAITING)


# what the worker writes


async def waiting() -> list[Upkeep]:
    """What may be done now: first what people ask for, then the schedule's for idle ones."""
    idle = clock.now() - timedelta(minutes=runtime.settings().upkeep.idle_minutes)
    rows = (
        await Upkeep.filter(state=UpkeepState.WAITING, repository__deleted_at=None)
        .exclude(repository__location_id__in=list(presence.away()))
        .order_by("id")
        .select_related("repository")
    )
    wanted = [row for row in rows if row.asked_by is not None or _is_idle(row.repository, idle)]
    return sorted(wanted, key=lambda row: row.asked_by is None)


def _is_idle(repository: Repository, since: datetime) -> bool:
    return repository.last_access_at is None or repository.last_access_at < since


@transactional
async def note_begun(row: Upkeep) -> None:
    """Conflict where it was stopped meanwhile."""
    if await _is_stopped(row):
        raise Conflict("It was stopped before it began.")
    row.state = UpkeepState.RUNNING
    if row.started_at is None:
        row.started_at = clock.now()
    await row.save()


@transactional
async def note_turn(
    row: Upkeep, state: UpkeepState, *, seconds: float, is_interrupted: bool = False
) -> None:
    """A turn is over, the whole is not, unless it was stopped meanwhile."""
    if await _is_stopped(row):
        return
    row.state = state
    row.seconds += round(seconds)
    row.interruptions += is_interrupted
    await row.save()


@transactional
async def note_failed(row: Upkeep, message: str, *, seconds: float) -> None:
    if await _is_stopped(row):
        return
    await _end(row, UpkeepState.FAILED, message, seconds)
    await events.record(row.repository_id, EventKind.UPKEEP_FAILED, message, upkeep=row.id)


@transactional
async def note_refused(row: Upkeep, found: Sequence[append_only.Deletion]) -> None:
    message = append_only.in_words(found)
    await _end(row, UpkeepState.REFUSED, message, 0)
    await events.record(
        row.repository_id,
        EventKind.UPKEEP_REFUSED,
        say("Not compacted: %(message)s", message=message),
        upkeep=row.id,
        sessions=[deletion.session_id for deletion in found],
    )


@transactional
async def note_checked(row: Upkeep, problems: Sequence[str], *, seconds: float) -> None:
    """A whole check has come to its end: with these problems, or with none."""
    took = _duration(row.seconds + seconds)
    now = clock.now()
    inspection, _ = await Inspection.get_or_create(repository_id=row.repository_id)
    inspection.check_begun_at, inspection.checked_at = row.started_at, now
    error = borg.in_a_sentence(problems) or None
    inspection.check_error = error  # type: ignore[assignment]  # TextField's hints know no null
    await inspection.save()
    replace(Parts.of(row), problems=tuple(problems)).store(row)
    if problems:
        message = say(
            "A check found the repository damaged: %(problems)s",
            problems=borg.in_a_sentence(problems),
        )
        await _end(row, UpkeepState.DONE, message, seconds)
        await alarms.integrity_error(row.repository_id, message, upkeep=row.id, problems=problems)
        return
    message = say("A check of the whole repository found no problems; it took %(took)s.", took=took)
    await _end(row, UpkeepState.DONE, message, seconds)
    await events.record(row.repository_id, EventKind.CHECKED, message, upkeep=row.id)
    await alarms.integrity_proven(row.repository_id)


@transactional
async def note_compacted(row: Upkeep, freed: int | None, *, seconds: float) -> None:
    now = clock.now()
    inspection, _ = await Inspection.get_or_create(repository_id=row.repository_id)
    inspection.compacted_at = now
    await inspection.save()
    shown = "" if freed is None else say(" %(freed)s were freed;", freed=Size(freed))
    message = say(
        "The repository was compacted:%(freed)s it took %(took)s.",
        freed=shown,
        took=_duration(row.seconds + seconds),
    )
    replace(Parts.of(row), freed_bytes=freed).store(row)
    await _end(row, UpkeepState.DONE, message, seconds)
    await events.record(
        row.repository_id, EventKind.COMPACTED, message, upkeep=row.id, freed_bytes=freed
    )


async def _is_stopped(row: Upkeep) -> bool:
    """See stopping.stop: it may do that while a turn is under way."""
    return await Upkeep.filter(id=row.id, state=UpkeepState.STOPPED).exists()


async def _end(row: Upkeep, state: UpkeepState, message: str, seconds: float) -> None:
    row.state, row.message = state, message
    row.seconds += round(seconds)
    row.ended_at = clock.now()
    await row.save()


def _duration(seconds: float) -> str:
    return format_duration(timedelta(seconds=max(1, round(seconds))))


def info_of(row: Upkeep) -> UpkeepInfo:
    return UpkeepInfo(
        id=row.id,
        repository_id=row.repository_id,
        kind=row.kind,
        state=row.state,
        asked_by=row.asked_by,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=row.seconds,
        interruptions=row.interruptions,
        message=row.message,
        problems=Parts.of(row).problems,
    )
