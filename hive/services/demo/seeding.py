"""Fills an empty database with the demo: people, repositories, and what happened to them."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.database import transactional
from hive.errors import Conflict
from hive.kinds import EventKind, Health, ScheduleKind
from hive.models import Alarm, Event, Inspection, Location, Repository, Session, User
from hive.schedule import Schedule
from hive.sentences import Sentence, Size, say
from hive.services import runtime
from hive.services.demo import people
from hive.services.demo.people import Cast
from hive.services.demo.rows import Rows, Subject, add_repository, moments
from hive.services.demo.shapes import LOST_PERCENT, SHAPES, Shape, Trouble
from hive.services.demo.timeline import tick_of, timeline
from hive.services.health import days as days_of_backups
from hive.services.sessions import failures

DAYS = 90
_TOGETHER = 4000  # rows of a transaction
_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Demo:
    """How to look at it: the administrator's name and password."""

    name: str
    password: str
    repositories: int


async def seed(
    *, repositories: int = len(SHAPES), days: int = DAYS, password: str | None = None
) -> Demo:
    """Fill the open database, which is empty; Conflict where it is not.

    More repositories than the demo has shapes are further ones of the same shapes.
    """
    if await User.exists() or await Repository.exists():
        raise Conflict("There are users or repositories: a demo needs a new data directory.")
    now = clock.now()
    cast = await people.add_people(now, password)
    location = await Location.get(is_default=True)
    subjects = list(_subjects(repositories, days, cast, location.id, now))
    rows = Rows()
    for one in subjects:
        add_repository(rows, one, now)
        if rows.count >= _TOGETHER:
            await rows.store()
    await rows.store()
    happened = [moment for one in subjects for moment in moments(one)]
    for moment in sorted(happened, key=lambda one: one.at):
        moment.store_in(rows)
        if rows.count >= _TOGETHER:
            await rows.store()
    await rows.store()
    for one in subjects[: len(SHAPES)]:
        await _make_trouble(one, now)
        await days_of_backups.draw_up(one.id)  # of further ones, the server does it
        await failures.draw_up(one.id)
    return Demo(people.ADMINISTRATOR, cast.password, repositories)


def _subjects(
    count: int, days: int, cast: Cast, location_id: int, now: datetime
) -> Iterator[Subject]:
    default = runtime.settings().schedules.default_grace_minutes
    grace = timedelta(minutes=default)
    logins: set[str] = set()
    while len(logins) < count:
        logins.add("".join(secrets.choice(_LETTERS) for _ in range(8)))
    for number, login in enumerate(sorted(logins)):
        again, place = divmod(number, len(SHAPES))
        shape = SHAPES[place]
        past = timeline(shape, now, grace, days, seed=number)
        yield Subject(
            id=number + 1,
            shape=shape,
            name=f"{shape.name}-{again + 1}" if again else shape.name,
            owner_id=cast.ids[shape.owner],
            location_id=location_id,
            key=cast.keys[shape.owner],
            address=f"192.0.2.{10 + place}",
            past=past,
            schedule=_schedule(shape, now, grace, is_waiting=past.health == Health.NEW),
            login=login,
        )


def _schedule(shape: Shape, now: datetime, grace: timedelta, *, is_waiting: bool) -> Schedule:
    if shape.period is None:
        return Schedule(kind=ScheduleKind.NONE, grace=grace)
    if is_waiting:
        every = timedelta(days=shape.period)
        return Schedule(kind=ScheduleKind.INTERVAL, interval=every, grace=grace)
    tick = tick_of(shape, now)
    days = "*" if shape.period == 1 else str(tick.isoweekday() % 7)
    return Schedule(
        kind=ScheduleKind.CRON,
        cron=f"{tick.minute} {tick.hour} * * {days}",
        timezone="UTC",
        grace=grace,
    )


async def _make_trouble(one: Subject, now: datetime) -> None:
    key = one.key.name
    size = one.past.size or 0
    match one.shape.trouble:
        case Trouble.DELETED:
            lost = size * LOST_PERCENT // 100
            words = say(
                "Append-only key %(key)s %(what)s. Nothing is lost until the repository "
                "is compacted.",
                key=key,
                what=say("deleted %(size)s", size=Size(lost)),
            )
            at = now - timedelta(hours=3)
            await _raise(
                one, EventKind.APPEND_ONLY_DELETION, words, at, lost_percent=float(LOST_PERCENT)
            )
            await _lose(one.id, size - lost, lost)
        case Trouble.DAMAGED:
            words = say("Segment 17 is damaged: 3 objects cannot be read.")
            at = now - timedelta(hours=7)
            await _raise(one, EventKind.INTEGRITY_ERROR, words, at)
            await _fail_check(one.id, words, at)
        case Trouble.LOCK:
            words = say("A lock has been held for 26 hours; its holder is gone.")
            await _raise(one, EventKind.STALE_LOCK, words, now - timedelta(hours=26))
        case Trouble.QUOTA:
            quota = size * 100 // (one.shape.quota_percent or 100)
            words = say(
                "%(percent).0f %% of the quota are used: %(use)s.",
                percent=one.shape.quota_percent,
                use=say("%(used)s of %(quota)s", used=Size(size), quota=Size(quota)),
            )
            at = now - timedelta(days=2)
            await _raise(one, EventKind.QUOTA_FILLING, words, at, level=90)
        case None:
            pass


@transactional
async def _raise(
    one: Subject,
    kind: EventKind,
    message: Sentence,
    at: datetime,
    *,
    level: int = 1,
    lost_percent: float | None = None,
) -> None:
    """An alarm that has been open since then, with its event; nobody is notified."""
    details = {} if lost_percent is None else {"lost_percent": lost_percent}
    last = await Session.filter(repository_id=one.id).order_by("-id").first()
    session_id = None if last is None else last.id
    await Alarm.create(
        repository_id=one.id,
        kind=kind,
        level=level,
        message=message,
        details=details,
        since=at,
        session_id=session_id,
    )
    await Event.create(
        at=at,
        repository_id=one.id,
        kind=kind,
        message=message,
        details=details,
        session_id=session_id,
    )


@transactional
async def _lose(repository_id: int, live: int, reclaimable: int) -> None:
    await Inspection.filter(repository_id=repository_id).update(
        live_bytes=live, reclaimable_bytes=reclaimable
    )


@transactional
async def _fail_check(repository_id: int, error: Sentence, at: datetime) -> None:
    await Inspection.filter(repository_id=repository_id).update(checked_at=at, check_error=error)
