"""Reminders of a missing backup: each person's own preference says how often, and for how long."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from tortoise.functions import Max

from hive.kinds import EventKind, Severity
from hive.models import Notification, Preference
from hive.schedule import next_reminder
from hive.services.outbox import audiences
from hive.services.outbox.kinds import Matter

_LONGEST_PAUSE = timedelta(hours=48)
_LONGEST = timedelta(days=30)
_KINDS = (str(EventKind.DOWN), str(EventKind.STILL_DOWN))


async def next_at(
    repository_id: int, owner_id: int, told_at: datetime, now: datetime
) -> datetime | None:
    """When the next one of those who hear of a repository is reminded; None: nobody any more."""
    audience = await audiences.of_repository(repository_id, owner_id)
    matter = Matter(
        EventKind.STILL_DOWN, Severity.CRITICAL, repository_id=repository_id, owner_id=owner_id
    )
    found = audience.ways(matter, now)
    ids = {owner_id} | {person.id for person, times in (*found.ways, *found.stand_ins) if times}
    moments = [next_reminder(told_at, *_pace(wish), now) for wish in (await _wishes(ids)).values()]
    return min((at for at in moments if at is not None), default=None)


async def not_due(
    user_ids: Collection[int], repository_id: int, told_at: datetime, now: datetime
) -> set[int]:
    """Of these people, those who want no reminder yet, or none any more.

    Who was not notified of this problem so far is.
    """
    told = Notification.filter(
        user_id__in=list(user_ids),
        repository_id=repository_id,
        kind__in=_KINDS,
        at__gte=told_at,
        at__lt=now,
    )
    rows = await told.annotate(last=Max("at")).group_by("user_id").values("user_id", "last")
    last = {row["user_id"]: _moment(row["last"]) for row in rows}
    found = set()
    for user_id, wish in (await _wishes(user_ids)).items():
        if user_id not in last:
            continue
        due = next_reminder(told_at, *_pace(wish), last[user_id])
        if due is None or due > now:
            found.add(user_id)
    return found


def _moment(value: datetime | str) -> datetime:
    """SQLite hands the greatest time out as it is stored."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


async def _wishes(user_ids: Collection[int]) -> Mapping[int, Preference]:
    rows = {row.user_id: row for row in await Preference.filter(user_id__in=list(user_ids))}
    usual = Preference()
    return {user_id: rows.get(user_id, usual) for user_id in user_ids}


def _pace(wish: Preference) -> tuple[timedelta, timedelta]:
    """How often, and until when."""
    every = min(timedelta(hours=wish.reminder_hours), _LONGEST_PAUSE)
    return every, min(timedelta(days=wish.expiration_days), _LONGEST)
