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
from hive.models import Alarm, Event, Inspection, Location, Repository, User
from hive.schedule import Schedule
from hive.sentences import Sentence, Size, say
from hive.services import runtime
from hive.services.demo import people
from hive.services.demo.people import Cast
from hive.services.demo.rows import Moment, Rows, Subject, add_repository, moments, note
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
    shown = subjects[: len(SHAPES)]
    troubles = [(one, told) for one in shown if (told := _told(one, now)) is not None]
    happened += [Moment(told.at, one, told.note, 0) for one, told in troubles]
    for moment in sorted(happened, key=lambda one: one.at):
        moment.store_in(rows)
        if rows.count >= _TOGETHER:
            await rows.store()
    await rows.store()
    for one, told in troubles:
        await _make_trouble(one, told)
    for one in shown:
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


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the trouble of a repository is, as its event and its alarm say it."""

    kind: EventKind
    message: Sentence
    at: datetime
    level: int = 1
    lost_percent: float | None = None

    @property
    def details(self) -> dict[str, float]:
        return {} if self.lost_percent is None else {"lost_percent": self.lost_percent}

    def note(self, rows: Rows, one: Subject, _number: int) -> None:
        session_id = rows.latest.get(one.id)
        note(rows, one, self.at, self.kind, self.message, session_id=session_id, **self.details)


def _told(one: Subject, now: datetime) -> _Told | None:
    size = one.past.size or 0
    match one.shape.trouble:
        case Trouble.DELETED:
            lost = size * LOST_PERCENT // 100
            words = say(
                "Append-only key %(key)s %(what)s. Nothing is lost until the repository "
                "is compacted.",
                key=one.key.name,
                what=say("deleted %(size)s", size=Size(lost)),
            )
            return _Told(
                kind=EventKind.APPEND_ONLY_DELETION,
                message=words,
                at=now - timedelta(hours=3),
                lost_percent=float(LOST_PERCENT),
            )
        case Trouble.DAMAGED:
            words = say("Segment 17 is damaged: 3 objects cannot be read.")
            at = now - timedelta(hours=7)
            return _Told(kind=EventKind.INTEGRITY_ERROR, message=words, at=at)
        case Trouble.LOCK:
            words = say("A lock has been held for 26 hours; its holder is gone.")
            at = now - timedelta(hours=26)
            return _Told(kind=EventKind.STALE_LOCK, message=words, at=at)
        case Trouble.QUOTA:
            quota = size * 100 // (one.shape.quota_percent or 100)
            words = say(
                "%(percent).0f %% of the quota are used: %(use)s.",
                percent=one.shape.quota_percent,
                use=say("%(used)s of %(quota)s", used=Size(size), quota=Size(quota)),
            )
            at = now - timedelta(days=2)
            return _Told(kind=EventKind.QUOTA_FILLING, message=words, at=at, level=90)
        case None:
            return None


async def _make_trouble(one: Subject, told: _Told) -> None:
    size = one.past.size or 0
    await _raise(one, told)
    if one.shape.trouble == Trouble.DELETED:
        lost = size * LOST_PERCENT // 100
        await _lose(one.id, size - lost, lost)
    elif one.shape.trouble == Trouble.DAMAGED:
        await _fail_check(one.id, told.message, told.at)


@transactional
async def _raise(one: Subject, told: _Told) -> None:
    """An alarm that has been open since its event; nobody is notified."""
    event = await Event.filter(repository_id=one.id, kind=told.kind).order_by("-id").first()
    await Alarm.create(
        repository_id=one.id,
        kind=told.kind,
        level=told.level,
        message=told.message,
        details=told.details,
        since=told.at,
        session_id=event.session_id if event is not None else None,
    )


@transactional
async def _lose(repository_id: int, live: int, reclaimable: int) -> None:
    await Inspection.filter(repository_id=repository_id).update(
        live_bytes=live, reclaimable_bytes=reclaimable
    )


@transactional
async def _fail_check(repository_id: int, error: Sentence, at: datetime) -> None:
    await Inspection.filter(repository_id=repository_id).update(checked_at=at, check_error=error)
