"""The rows of calls: begun, claimed, kept and ended, each in one step with its event.

running, `look_at` set       waits to be made, or its job in AWX to be looked at
running, `look_at` null      is being made; after a crash nobody knows how that ended
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.database import transactional
from hive.kinds import EventKind, TriggerKind, TriggerReason, TriggerState
from hive.models import Trigger, TriggerRun
from hive.sentences import Sentence, say
from hive.services import events

LEASE = timedelta(minutes=5)  # of a look at AWX that never came to its end
MAX_MESSAGE = 4000
_LAST = 800  # characters that an event shows

_WORDS = {
    TriggerReason.SCHEDULE: say("by its schedule"),
    TriggerReason.LATE: say("because the backup is late"),
}


_BY_HAND = (TriggerReason.BUTTON, TriggerReason.COMMAND)


@dataclass(frozen=True)
class CallOutcome:
    """What became of a call, or of a look at it. RUNNING: look again at `look_at`."""

    state: TriggerState
    message: str
    external_id: str | None = None
    link: str | None = None
    look_at: datetime | None = None


@transactional
async def begin(
    trigger: Trigger, reason: TriggerReason, *, asked_by: str | None = None
) -> TriggerRun | None:
    """A call that waits to be made. None where the one before still runs.

    That is recorded as an event, unless a person asked: they see it now.
    """
    await lock(trigger)
    if await TriggerRun.filter(trigger_id=trigger.id, state=TriggerState.RUNNING).exists():
        if reason not in _BY_HAND:
            message = say(
                "Trigger %(trigger)s was not called again: the previous call is still running.",
                trigger=trigger.name,
            )
            await note(trigger, reason, TriggerState.OVERLAPPED, message)
            await _tell(trigger, EventKind.TRIGGER_OVERLAPPED, message)
        return None
    now = clock.now()
    run = await TriggerRun.create(
        trigger_id=trigger.id,
        reason=reason,
        asked_by=asked_by,
        state=TriggerState.RUNNING,
        started_at=now,
        look_at=now,
    )
    why = _WORDS.get(reason) or say("by %(user)s", user=asked_by)
    message = say("Trigger %(trigger)s is called %(why)s.", trigger=trigger.name, why=why)
    await _tell(trigger, EventKind.TRIGGER_STARTED, message, run)
    return run


async def lock(trigger: Trigger) -> None:
    """Keep others from beginning a call of this trigger until the transaction ends.

    SQLite has one lock for all, which every transaction holds (hive/database.py); other engines
    lock the row.
    """
    await Trigger.filter(id=trigger.id).select_for_update().first()


async def note(
    trigger: Trigger, reason: TriggerReason, state: TriggerState, message: str
) -> TriggerRun:
    """A call that is not made, for the history."""
    now = clock.now()
    return await TriggerRun.create(
        trigger_id=trigger.id,
        reason=reason,
        state=state,
        started_at=now,
        ended_at=now,
        message=message,
    )


async def _tell(
    trigger: Trigger, kind: EventKind, message: str, run: TriggerRun | None = None
) -> None:
    await events.record(
        trigger.repository_id,
        kind,
        message,
        trigger=trigger.name,
        run=run.id if run else None,
        link=run.link if run else None,
    )


@transactional
async def claim(run_id: int) -> TriggerRun | None:
    """Take the call, so that nobody else makes it; None where somebody has, or it is over."""
    run = await TriggerRun.get_or_none(id=run_id, state=TriggerState.RUNNING)
    if run is None or run.look_at is None:
        return None
    until = clock.now() + LEASE if run.external_id is not None else None
    taken = TriggerRun.filter(id=run_id, state=TriggerState.RUNNING, look_at=run.look_at)
    if not await taken.update(look_at=until):
        return None
    await run.fetch_related("trigger__repository__location")
    return run


@transactional
async def keep(run_id: int, outcome: CallOutcome) -> None:
    """Write down what became of it, once; its end is an event."""
    run = await TriggerRun.get_or_none(id=run_id, state=TriggerState.RUNNING)
    if run is None:  # deleted, or ended meanwhile
        return
    run.state = outcome.state
    run.message = _kept(outcome.message)
    run.external_id = outcome.external_id or run.external_id
    run.link = outcome.link or run.link
    running = outcome.state == TriggerState.RUNNING
    run.look_at = outcome.look_at if running else None
    run.ended_at = None if running else clock.now()
    await run.save()
    if running:
        return
    trigger = await Trigger.get(id=run.trigger_id)
    if outcome.state == TriggerState.SUCCEEDED:
        message = say(
            "Trigger %(trigger)s ended well. %(words)s",
            trigger=trigger.name,
            words=_last_lines(run.message),
        )
        await _tell(trigger, EventKind.TRIGGER_ENDED, message, run)
    else:
        message = say(
            "Trigger %(trigger)s failed: %(words)s",
            trigger=trigger.name,
            words=_last_lines(run.message),
        )
        await _tell(trigger, EventKind.TRIGGER_FAILED, message, run)


def _kept(text: str) -> str:
    """A sentence as it is; of what a program wrote, the end."""
    is_ours = isinstance(text, Sentence) and len(text) <= _LAST
    return text if is_ours else text[-MAX_MESSAGE:].replace("\0", "�")


def _last_lines(text: str) -> str:
    return text if isinstance(text, Sentence) else text.strip()[-_LAST:]


async def end_interrupted() -> int:
    """End the calls that a killed server was making; call before the next is made."""
    left = await TriggerRun.filter(state=TriggerState.RUNNING, look_at=None)
    for run in left:
        await keep(run.id, interrupted(await _kind_of(run)))
    return len(left)


async def _kind_of(run: TriggerRun) -> TriggerKind:
    return (await Trigger.get(id=run.trigger_id)).kind


def interrupted(kind: TriggerKind) -> CallOutcome:
    """The server ended in the middle of the call."""
    unknown = "" if kind == TriggerKind.COMMAND else say(" Whether it arrived is not known.")
    return CallOutcome(
        TriggerState.FAILED,
        say("The server ended while this was called.%(unknown)s", unknown=unknown),
    )
