"""Calling what is due, and seeing each call through: by the server's scheduler, and at once when
somebody pressed a button or a backup became late.

A time that passed while the server was not running is reported once, however many passed, and is
made up for once if it is not longer ago than triggers.catch_up_minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tortoise.queryset import QuerySet

from hive import clock, log, memory, signals
from hive.background import spawn
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError, InvalidInput, Sealed
from hive.kinds import EventKind, Health, TriggerKind, TriggerReason, TriggerState
from hive.models import HealthChange, Repository, Trigger, TriggerRun
from hive.sentences import say
from hive.services import events as rows
from hive.services import runtime
from hive.services.clock import trust
from hive.services.repositories import infos as repository_infos
from hive.services.secrets import opens, settings_of
from hive.services.triggers import command, runs, settings, store
from hive.services.triggers.runs import CallOutcome

logger = log.get(__name__)

ON_TIME = timedelta(minutes=5)  # a call that comes later was missed
_AT_ONCE = 16  # calls; more wait for the next tick
_KEPT = timedelta(days=400)
_IN_TROUBLE = (Health.LATE, Health.DOWN)


@dataclass
class _Memory:
    working: dict[int, asyncio.Task[None]] = field(default_factory=dict)


def listen() -> Callable[[], None]:
    """Call at once what somebody asked for, or what is late; returns what ends that."""

    def hear(happening: signals.Happening) -> None:
        if isinstance(happening, signals.TriggerAsked):
            _start(happening.run_id)
        elif isinstance(happening, signals.RepositoryEvent) and happening.kind in (
            EventKind.LATE,
            EventKind.DOWN,
        ):
            at_once = _call_for_late(happening.repository_id)
            spawn(at_once, name="call triggers for a late backup")

    return signals.subscribe(hear)


async def _call_for_late(repository_id: int) -> None:
    """Call the triggers of this late backup alone: all others come with the next tick."""
    try:
        if await trust.is_trusted():
            await _start_late_ones(_for_late().filter(repository_id=repository_id))
            await _start_waiting(TriggerRun.filter(trigger__repository_id=repository_id))
    except (HiveError, DriverError) as error:
        logger.error("triggers cannot be looked at", reason=str(error))


async def run_due() -> int:
    """Call everything that is due; the number of calls that began. Calls go on by themselves."""
    now = clock.now()
    begun = 0
    if await trust.is_trusted():
        begun = await _start_all(now)
    await _start_waiting(TriggerRun.all())
    return begun


async def _start_waiting(calls: QuerySet[TriggerRun]) -> None:
    """Make those of these calls whose time has come."""
    # those that have just begun too, so by the time that it is now
    waiting = calls.filter(state=TriggerState.RUNNING, look_at__lte=clock.now())
    for run in await waiting.order_by("look_at").limit(_AT_ONCE):
        _start(run.id)


async def _start_all(now: datetime) -> int:
    """Begin what the clock asks for."""
    begun = 0
    due = await Trigger.filter(next_at__lte=now, repository__deleted_at=None).order_by("next_at")
    for trigger in due:
        begun += await _guarded(trigger, _start_due)
    return begun + await _start_late_ones(_for_late())


def _for_late() -> QuerySet[Trigger]:
    """What may be called because a backup is late, and was called already or not."""
    late = Trigger.filter(is_for_late=True, enabled=True, repository__health__in=_IN_TROUBLE)
    return late.filter(repository__deleted_at=None)


async def _start_late_ones(late: QuerySet[Trigger]) -> int:
    begun = 0
    for trigger in await late:
        begun += await _guarded(trigger, _start_late)
    return begun


async def _guarded(trigger: Trigger, start: Callable[[Trigger], Awaitable[bool]]) -> bool:
    """One trigger that is broken must not stop the others."""
    try:
        return await start(trigger)
    except (HiveError, DriverError) as error:
        logger.error("a trigger cannot be called", trigger=trigger.id, reason=str(error))
        return False


@transactional
async def _start_due(trigger: Trigger) -> bool:
    due_at = trigger.next_at
    try:
        following = store.next_time(trigger)
    except InvalidInput as error:
        await _disable(trigger, error.message)
        return False
    taken = Trigger.filter(id=trigger.id, next_at=due_at, enabled=True)
    if due_at is None or not await taken.update(next_at=following):
        return False  # another tick was first, or it was changed meanwhile
    late_by = clock.now() - due_at
    if late_by > ON_TIME and not await _make_up(trigger, due_at, following, late_by):
        return False
    return await runs.begin(trigger, TriggerReason.SCHEDULE) is not None


async def _make_up(
    trigger: Trigger, due_at: datetime, following: datetime | None, late_by: timedelta
) -> bool:
    """Tell of a time that was missed; whether it is made up for now."""
    made_up = late_by <= timedelta(minutes=runtime.settings().triggers.catch_up_minutes)
    if made_up:
        coming = say("it is called now")
    elif following:
        coming = say("the next time is %(at)s", at=following)
    else:
        coming = say("no further time follows")
    message = say(
        "Trigger %(trigger)s was due at %(due_at)s and was not called then: %(next)s.",
        trigger=trigger.name,
        due_at=due_at,
        next=coming,
    )
    await rows.record(
        trigger.repository_id,
        EventKind.TRIGGER_MISSED,
        message,
        trigger=trigger.name,
        due_at=clock.rfc3339(due_at),
        made_up=made_up,
    )
    if not made_up:
        await runs.note(trigger, TriggerReason.SCHEDULE, TriggerState.MISSED, message)
    return made_up


async def _disable(trigger: Trigger, reason: str) -> None:
    await Trigger.filter(id=trigger.id).update(next_at=None, enabled=False)
    message = say(
        "Trigger %(trigger)s was disabled, its schedule cannot be read: %(reason)s",
        trigger=trigger.name,
        reason=reason,
    )
    await rows.record(
        trigger.repository_id, EventKind.TRIGGER_FAILED, message, trigger=trigger.name
    )


async def _start_late(trigger: Trigger) -> bool:
    """Call it unless it was called since the repository became late.

    As long as the trouble lasts, each tick asks: only one that has to call takes a lock.
    """
    return await _is_asked_for(trigger) and await _start_once(trigger)


@transactional
async def _start_once(trigger: Trigger) -> bool:
    """Two ticks must not both find that it was not called."""
    await runs.lock(trigger)
    if not await _is_asked_for(trigger):
        return False
    return await runs.begin(trigger, TriggerReason.LATE) is not None


async def _is_asked_for(trigger: Trigger) -> bool:
    since = await _late_since(trigger.repository_id)
    called = TriggerRun.filter(trigger_id=trigger.id, reason=TriggerReason.LATE)
    return since is not None and not await called.filter(started_at__gte=since).exists()


async def _late_since(repository_id: int) -> datetime | None:
    """When the repository became late; that it is down by now is the same trouble."""
    repository = await Repository.get(id=repository_id)
    if repository.health not in _IN_TROUBLE:
        return None
    into = HealthChange.filter(repository_id=repository_id, health__in=_IN_TROUBLE)
    change = await into.exclude(former__in=_IN_TROUBLE).order_by("-id").first()
    return change.at if change is not None else repository.health_since


def _start(run_id: int) -> None:
    working = memory.of(_Memory).working
    if run_id not in working and len(working) < _AT_ONCE:
        task = spawn(carry_out(run_id), name=f"trigger run {run_id}")
        working[run_id] = task
        task.add_done_callback(lambda _: working.pop(run_id, None))


async def carry_out(run_id: int) -> None:
    """Make the call, or look at its job, and keep what became of it."""
    run = await runs.claim(run_id)
    if run is None:
        return
    trigger = run.trigger
    try:
        outcome = await _act(run)
    except Sealed:
        words = say(
            "The settings of the trigger cannot be opened: the key of the server is missing."
        )
        outcome = CallOutcome(TriggerState.FAILED, words)
    except HiveError as error:
        outcome = CallOutcome(TriggerState.FAILED, error.message)
    except asyncio.CancelledError:
        await runs.keep(run_id, _cut_off(run, trigger.kind))
        raise
    if opens(trigger):
        secrets = settings.secrets_of(trigger.kind, settings_of(trigger))
        outcome = replace(outcome, message=settings.mask(outcome.message, secrets))
    await runs.keep(run_id, outcome)


def _cut_off(run: TriggerRun, kind: TriggerKind) -> CallOutcome:
    """The server stops: a job in AWX goes on, and is looked at again by the next server."""
    if run.external_id is not None:
        return CallOutcome(TriggerState.RUNNING, run.message, look_at=clock.now())
    return runs.interrupted(kind)


async def _act(run: TriggerRun) -> CallOutcome:
    # they load aiohttp, which most commands can do without
    from hive.services.triggers import awx, webhook  # noqa: PLC0415

    trigger = run.trigger
    repository = trigger.repository
    url = repository_infos.url(repository.location, repository.login, repository.directory)
    subject = settings.Subject(repository.name, repository.login, url)
    target = settings.parse(trigger.kind, settings_of(trigger))
    if isinstance(target, settings.Awx):
        if run.external_id is None:
            return await awx.launch(target, subject, run.started_at)
        return await awx.follow(target, run.external_id, run.started_at, run.message)
    if isinstance(target, settings.Webhook):
        return await webhook.call(target, subject)
    return await command.call(target, subject)


async def settled() -> None:
    """Wait until no call is being made or looked at just now."""
    working = memory.of(_Memory).working
    while working:
        await asyncio.wait(set(working.values()))


async def stop() -> None:
    """End all running calls, commands with all their processes; call when the server stops."""
    for task in list(memory.of(_Memory).working.values()):
        task.cancel()
    await settled()


async def recover() -> int:
    """End the calls that a killed server was making; call at start."""
    return await runs.end_interrupted()


@transactional
async def thin_out() -> int:
    """Forget the history of calls that ended long ago."""
    return await TriggerRun.filter(ended_at__lt=clock.now() - _KEPT).delete()
