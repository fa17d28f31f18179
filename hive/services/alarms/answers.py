"""What people say to alarms that stay until somebody answers: it was me, or I know of it.

An answer covers what was seen: what happened since then stays open. It is an event with a name, it
is audited, and the alarm is kept for the record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tortoise.expressions import Q

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, NotFound
from hive.kinds import EventKind, Level
from hive.models import Alarm, Event, Key, Repository, Session
from hive.sentences import say
from hive.services import audit, events
from hive.services.alarms.alarms import UNTIL_ANSWERED, AlarmInfo, info_of
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import ChangeKey
from hive.services.permissions import (
    Actor,
    manageable_ids,
    of_visible_repositories,
    require,
)

_MOST = 200


@dataclass(frozen=True)
class AlarmOffer:
    """What somebody may do about an alarm that waits for an answer."""

    alarm_id: int
    count: int
    in_short: str
    may_answer: bool
    key_id: int | None  # that may be disabled
    can_roll_back: bool
    is_deed: bool  # somebody did it, so that the answer is "it was me"; else "I know"
    is_damage: bool


_CAN_BE_ROLLED_BACK = (EventKind.MASS_DELETION, EventKind.APPEND_ONLY_DELETION)
_DEEDS = (
    *_CAN_BE_ROLLED_BACK,
    EventKind.CLIENT_DELETED,
    EventKind.REPLACED,
    EventKind.CONFIG_SUSPICIOUS,
)


async def offers(actor: Actor, alarms: Sequence[AlarmInfo]) -> dict[int, AlarmOffer]:
    """What the actor may do about each of these alarms, by alarm; in few queries."""
    if not alarms:
        return {}
    manageable = await manageable_ids(actor, {one.repository_id for one in alarms})
    disableable = await _keys_to_disable(
        actor, {one.session_id for one in alarms if one.session_id}
    )
    return {
        one.id: AlarmOffer(
            alarm_id=one.id,
            count=one.count,
            in_short=one.in_short,
            may_answer=one.repository_id in manageable,
            key_id=disableable.get(one.session_id or 0),
            is_deed=one.kind in _DEEDS,
            is_damage=one.kind == EventKind.INTEGRITY_ERROR,
            can_roll_back=one.kind in _CAN_BE_ROLLED_BACK and one.repository_id in manageable,
        )
        for one in alarms
    }


async def _keys_to_disable(actor: Actor, session_ids: Collection[int]) -> dict[int, int]:
    """Of each session the key, where it is still enabled and the actor may disable it."""
    sessions = await Session.filter(id__in=list(session_ids)).values("id", "key_id")
    mine = Q() if actor.manages_all else Q(owner_id=actor.user_id)
    ids = [one["key_id"] for one in sessions]
    known = {row["id"] for row in await Key.filter(mine, id__in=ids, enabled=True).values("id")}
    return {one["id"]: one["key_id"] for one in sessions if one["key_id"] in known}


@transactional
async def disable_key(actor: Actor, alarm_id: int) -> KeyInfo:
    """Disable the key whose session raised the alarm, which stays open."""
    row, _ = await _answerable(actor, alarm_id)
    session = await Session.get_or_none(id=row.session_id)
    if session is None or session.key_id is None:
        raise Conflict("No key is known that did this.")
    return await keys.change_key(actor, session.key_id, ChangeKey(enabled=False))


async def list_alarms(
    actor: Actor, *, repository_id: int | None = None, answered: bool = False
) -> list[AlarmInfo]:
    """Those of the repositories that the actor may see, the newest first; `answered`: the past."""
    rows = Alarm.filter(
        await of_visible_repositories(actor),
        repository_id__not_isnull=True,
        repository__deleted_at=None,
        answered_at__isnull=not answered,
    )
    if repository_id is not None:
        rows = rows.filter(repository_id=repository_id)
    return [info_of(row) for row in await rows.order_by("-id").limit(_MOST)]


@transactional
async def answer(actor: Actor, alarm_id: int, *, seen: int | None = None) -> AlarmInfo:
    """Answer an alarm, as far as it had happened when the actor looked; what stays of it or was.

    `seen` is the count that was shown, all of it where None. What the same session did besides,
    and nothing else since, is answered with it.
    """
    row, repository = await _answerable(actor, alarm_id)
    if row.answered_at is not None:
        raise Conflict("%(answered_by)s has answered this already.", answered_by=row.answered_by)
    if row.kind not in UNTIL_ANSWERED:
        raise Conflict("This ends when its cause ends: there is nothing to answer.")
    covered = row.count if seen is None else min(seen, row.count)
    if covered < 1:
        raise Conflict("It has happened again since then: look at it once more.")
    same = Alarm.filter(
        repository_id=row.repository_id,
        session_id=row.session_id,
        answered_at=None,
        kind__in=UNTIL_ANSWERED,
        count=1,
    )
    others = [] if row.session_id is None else await same.exclude(id=row.id)
    await _close(actor.name, row, covered)
    for other in others:
        await _close(actor.name, other, 1)
    told = ", ".join(str(one.kind) for one in (row, *others))
    await events.record(
        repository.id,
        EventKind.ALARM_ANSWERED,
        say("%(name)s has answered: %(told)s.", name=actor.name, told=told),
        session_id=row.session_id,
        alarm=str(row.kind),
        alarms=[str(one.kind) for one in (row, *others)],
        by=actor.name,
    )
    await audit.record(
        actor,
        "alarm.answer",
        audit.name_of(repository),
        alarms=[str(one.kind) for one in (row, *others)],
        message=row.message,
    )
    still_open = await Alarm.filter(
        repository_id=repository.id, kind=row.kind, answered_at=None
    ).first()
    return info_of(still_open or row)


@transactional
async def undone(by: str, repository_id: int) -> None:
    """A rollback has undone what sessions did: that answers the alarms about them alone."""
    rows = await Alarm.filter(
        repository_id=repository_id, answered_at=None, kind__in=_CAN_BE_ROLLED_BACK
    )
    for row in rows:
        if not await _is_undone(row):
            continue
        await _close(by, row, row.count)
        await events.record(
            repository_id,
            EventKind.ALARM_ANSWERED,
            say("%(by)s has answered by a rollback: %(kind)s.", by=by, kind=row.kind),
            session_id=row.session_id,
            alarm=str(row.kind),
            by=by,
        )


async def _is_undone(row: Alarm) -> bool:
    """Whether all that the alarm is about was done by sessions that are undone."""
    told = Event.filter(repository_id=row.repository_id, kind=row.kind, at__gte=row.since)
    by = {one["session_id"] for one in await told.values("session_id")}
    if not by or None in by:
        return False
    return await Session.filter(id__in=by, undone_at__not_isnull=True).count() == len(by)


async def _answerable(actor: Actor, alarm_id: int) -> tuple[Alarm, Repository]:
    row = await Alarm.filter(id=alarm_id, repository_id__not_isnull=True).first()
    repository = await Repository.get_or_none(id=row.repository_id) if row is not None else None
    if row is None or repository is None:
        raise NotFound("There is no such alarm.")
    try:
        await require(actor, repository, Level.VIEW)
    except NotFound:
        raise NotFound("There is no such alarm.") from None
    await require(actor, repository, Level.MANAGE)
    return row, repository


async def _close(by: str, row: Alarm, covered: int) -> None:
    """Keep what is answered for the record; what came since goes on as another alarm."""
    rest = row.count - covered
    if rest > 0:
        await Alarm.create(
            repository_id=row.repository_id,
            kind=row.kind,
            level=row.level,
            message=row.message,
            details=row.details,
            session_id=row.session_id,
            since=clock.now(),
            count=rest,
        )
    row.count = covered
    row.answered_at = clock.now()
    row.answered_by = by[:150]
    await row.save()
