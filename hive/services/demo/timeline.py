"""What happened to one repository of the demo, from its days. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hive.kinds import Health
from hive.services.demo.shapes import GB, LOST_PERCENT, Shape, Trouble, days_of

_STEP = 5  # minutes; times of schedules are round
_DAY = timedelta(days=1)
_EARLY = timedelta(hours=6)  # before its time, in which a backup counts for that time
_MBYTES_A_SECOND = 40


class RunKind(StrEnum):
    """What became of a session."""

    MADE = "made"  # a backup
    FAILED = "failed"
    READ = "read"  # somebody restored something
    DELETED = "deleted"  # somebody deleted most of it
    RUNNING = "running"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One session; `ended_at` None: it runs now."""

    started_at: datetime
    ended_at: datetime | None
    kind: RunKind
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_removed: int = 0
    size_after: int = 0


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A change of its health; `was_due_at` is the time that was missed."""

    at: datetime
    former: Health
    health: Health
    since: datetime  # of the former one
    was_due_at: datetime
    last_backup_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    created_at: datetime
    runs: tuple[Run, ...]
    turns: tuple[Turn, ...]
    health: Health
    health_since: datetime
    last_backup_at: datetime | None
    due_at: datetime | None
    size: int | None


def tick_of(shape: Shape, now: datetime) -> datetime:
    """The newest time at which a backup was due, or would have been."""
    at = now + timedelta(hours=shape.due)
    at -= timedelta(minutes=at.minute % _STEP, seconds=at.second, microseconds=at.microsecond)
    return at if at <= now else at - (shape.period or 1) * _DAY


def timeline(shape: Shape, now: datetime, grace: timedelta, days: int, seed: int) -> Timeline:
    """Of so many days; the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - made-up history needs no secrets
    tick = tick_of(shape, now)
    count = shape.period or 1
    letters = days_of(shape, days // count, dice)
    ago = [(len(letters) - 1 - place) * count for place in range(len(letters))]
    ticks = [tick - timedelta(days=one) for one in ago]
    found = [
        _on_day(shape, letter, at, one, dice)
        for letter, at, one in zip(letters, ticks, ago, strict=True)
    ]
    runs = [run for run in found if run is not None]
    if shape.at_rest is not None:
        runs = [_run(shape, now - timedelta(days=shape.at_rest), 0, dice)]
    created_at = _created_at(shape, now, ticks)
    turns = _turns(shape, runs, ticks, grace, now)
    last = _last_backup(runs)
    if shape.is_read and last is not None:
        runs.append(_reading(last - timedelta(days=11, hours=3)))
    if shape.trouble == Trouble.DELETED:
        runs.append(_deletion(shape, now - timedelta(hours=3)))
    if shape.begun is not None:
        runs.append(_running(shape, now))
    health, since = _health(shape, turns, created_at, now, has_backup=last is not None)
    return Timeline(
        created_at=created_at,
        runs=tuple(runs),
        turns=tuple(turns),
        health=health,
        health_since=since,
        last_backup_at=last,
        due_at=_due_at(shape, turns, tick, health, created_at),
        size=None if last is None else int(shape.size * GB),
    )


def _due_at(
    shape: Shape, turns: Sequence[Turn], tick: datetime, health: Health, created_at: datetime
) -> datetime | None:
    if shape.period is None or shape.is_paused:
        return None
    if health in (Health.LATE, Health.DOWN):
        return next(one.at for one in reversed(turns) if one.health == Health.LATE)
    if health == Health.NEW:
        return created_at + timedelta(days=shape.period)
    return tick + timedelta(days=shape.period)


def _created_at(shape: Shape, now: datetime, ticks: Sequence[datetime]) -> datetime:
    if not ticks:  # it waits for its first backup, which is due a period after it was added
        return now + timedelta(hours=shape.due) - timedelta(days=shape.period or 1)
    return min(now - timedelta(days=shape.age), ticks[0] - timedelta(days=1))


def _on_day(
    shape: Shape, letter: str, tick: datetime, days_ago: float, dice: random.Random
) -> Run | None:
    if letter == "m":
        return _run(shape, tick - timedelta(minutes=dice.uniform(20, 50)), days_ago, dice)
    if letter == "l":
        return _run(shape, tick + timedelta(hours=dice.uniform(1.5, 4)), days_ago, dice)
    if letter == "f":
        started_at = tick - timedelta(minutes=dice.uniform(5, 20))
        return Run(
            started_at=started_at,
            ended_at=started_at + timedelta(seconds=dice.uniform(20, 240)),
            kind=RunKind.FAILED,
            bytes_in=int(dice.uniform(1, 80) * 10**6),
            size_after=_size(shape, days_ago),
        )
    return None


def _run(shape: Shape, started_at: datetime, days_ago: float, dice: random.Random) -> Run:
    daily = max(shape.growth * GB / 7, 2 * 10**6)
    bytes_in = int(daily * dice.uniform(0.5, 1.9))
    seconds = dice.uniform(20, 90) + bytes_in / 10**6 / _MBYTES_A_SECOND
    return Run(
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=min(seconds, 900)),
        kind=RunKind.MADE,
        bytes_in=bytes_in,
        bytes_out=bytes_in // 400,
        size_after=_size(shape, days_ago),
    )


def _running(shape: Shape, now: datetime) -> Run:
    return Run(
        started_at=now - timedelta(minutes=shape.begun or 0),
        ended_at=None,
        kind=RunKind.RUNNING,
    )


def _reading(started_at: datetime) -> Run:
    return Run(
        started_at=started_at,
        ended_at=started_at + timedelta(minutes=6),
        kind=RunKind.READ,
        bytes_in=40_000,
        bytes_out=3 * GB,
    )


def _deletion(shape: Shape, started_at: datetime) -> Run:
    return Run(
        started_at=started_at,
        ended_at=started_at + timedelta(minutes=4),
        kind=RunKind.DELETED,
        bytes_in=2_000_000,
        bytes_out=9_000_000,
        bytes_removed=int(shape.size * GB * LOST_PERCENT / 100),
    )


def _size(shape: Shape, days_ago: float) -> int:
    """What it had so long ago; it grew evenly, but for a wave that looks like life."""
    wave = 0.3 * shape.growth * ((days_ago * 7919) % 7 - 3) / 3
    return max(int((shape.size - shape.growth * days_ago / 7 + wave) * GB), 10**6)


def _last_backup(runs: Sequence[Run]) -> datetime | None:
    return max(
        (run.ended_at for run in runs if run.kind == RunKind.MADE and run.ended_at), default=None
    )


@dataclass
class _State:
    """Its health, on the way through its history."""

    health: Health
    since: datetime
    turns: list[Turn] = field(default_factory=list)
    missed_at: datetime | None = None
    last_backup_at: datetime | None = None

    def turn(self, at: datetime, health: Health) -> None:
        self.turns.append(
            Turn(
                at=at,
                former=self.health,
                health=health,
                since=self.since,
                was_due_at=self.missed_at or at,
                last_backup_at=self.last_backup_at,
            )
        )
        self.health, self.since = health, at

    def miss(self, at: datetime) -> None:
        if self.health == Health.FINE:
            self.missed_at = at
            self.turn(at, Health.LATE)

    def wait(self, grace: timedelta, until: datetime) -> None:
        """It counts as down when the grace is over and nothing has come before `until`."""
        if self.health == Health.LATE and self.missed_at and self.missed_at + grace < until:
            self.turn(self.missed_at + grace, Health.DOWN)

    def make(self, at: datetime) -> None:
        self.last_backup_at = at
        if self.health in (Health.LATE, Health.DOWN):
            self.turn(at, Health.FINE)
        self.missed_at = None


def _turns(
    shape: Shape, runs: Sequence[Run], ticks: Sequence[datetime], grace: timedelta, now: datetime
) -> list[Turn]:
    """How its health changed: by the rule of hive/schedule.py, told from the days."""
    if shape.period is None or shape.is_paused or not ticks:
        return []
    state = _State(Health.FINE, ticks[0])
    made = sorted(run.ended_at for run in runs if run.kind == RunKind.MADE and run.ended_at)
    moments = [(at, False) for at in ticks] + [(at, True) for at in made]
    for at, is_backup in sorted(moments):
        state.wait(grace, at)
        if is_backup:
            state.make(at)
        elif state.last_backup_at is None or state.last_backup_at <= at - _EARLY:
            state.miss(at)
    state.wait(grace, now)
    return state.turns


def _health(
    shape: Shape, turns: Sequence[Turn], created_at: datetime, now: datetime, *, has_backup: bool
) -> tuple[Health, datetime]:
    if shape.is_paused:
        return Health.PAUSED, now - timedelta(days=len(shape.end))
    if shape.period is None:
        return Health.UNWATCHED, created_at
    if not has_backup:
        return Health.NEW, created_at
    if turns:
        return turns[-1].health, turns[-1].at
    return Health.FINE, created_at
