"""What people must be told of repositories, by the simplest reckoning that there is.

Nothing of it comes from the product: a schedule is a daily time in a zone or a number of hours, and
time goes in steps. At each step that the server lives through, first the backup comes, if there is
one, then the server looks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=10)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@dataclass(frozen=True)
class Plan:
    """When a repository expects backups: at a time of each day, or every so many hours."""

    grace: timedelta
    every: timedelta | None = None
    hour: int = 0
    minute: int = 0
    zone: str = "UTC"

    def due_after(self, at: datetime) -> datetime:
        if self.every is not None:
            return at + self.every
        zone = ZoneInfo(self.zone)
        day = at.astimezone(zone).date()
        for _ in range(3):
            due = datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=zone)
            if due.astimezone(UTC) > at:
                return due.astimezone(UTC)
            day += timedelta(days=1)
        raise AssertionError("a day has a time like this")

    def due_after_backup(self, at: datetime) -> datetime:
        """One in the last quarter of the time between two ticks counts for the second."""
        due = self.due_after(at)
        if self.every is not None:
            return due
        before = at - timedelta(days=2)
        while (following := self.due_after(before)) <= at:
            before = following
        return self.due_after(due) if (due - at) * 4 <= due - before else due


@dataclass(frozen=True)
class Wish:
    """How often an owner wants to be reminded, and for how long."""

    every: timedelta
    expires: timedelta


@dataclass
class Expected:
    """What one repository's people must be told: the time and the kind, in order."""

    plan: Plan
    wish: Wish
    created_at: datetime
    told: list[tuple[datetime, str]] = field(default_factory=list)
    _state: str = "new"
    _last: datetime | None = None
    _down_since: datetime | None = None
    _reminders: int = 0
    _off: list[tuple[datetime, datetime]] = field(default_factory=list)
    _returned: datetime | None = None

    @property
    def state(self) -> str:
        """What its schedule makes of it."""
        return self._state

    def storage_returned(self, now: datetime) -> None:
        """No backup could come before: what is missing has its grace from now on."""
        self._returned = now

    def was_off(self, begun: datetime, ended: datetime) -> None:
        self._off.append((begun, ended))

    def _down_at(self, due: datetime) -> datetime:
        """What could not come while the server was off has its time once more."""
        down = due + self.plan.grace
        for begun, ended in self._off:
            if ended <= (self._last or self.created_at):
                continue
            if begun <= due <= ended:
                due = self.plan.due_after(ended)
                down = due + self.plan.grace
            elif begun <= down <= ended:
                down = ended + self.plan.grace
        return down if self._returned is None else max(down, self._returned + self.plan.grace)

    def backup(self, now: datetime) -> None:
        if self._state in ("late", "down"):
            self.told.append((now, "recovered"))
        self._state, self._last, self._down_since = "up", now, None

    def look(self, now: datetime) -> None:
        if self._last is None:
            due = self.plan.due_after(self.created_at)
        else:
            due = self.plan.due_after_backup(self._last)
        if self._state == "down":
            self._remind(now)
        elif now >= self._down_at(due):
            self.told.append((now, "down"))
            self._state, self._down_since, self._reminders = "down", now, 0
        elif now >= due and self._state != "late":
            self.told.append((now, "late"))
            self._state = "late"

    def _remind(self, now: datetime) -> None:
        assert self._down_since is not None
        due = int((now - self._down_since) / self.wish.every)
        most = int(self.wish.expires / self.wish.every)
        # however many were missed while the server was away: one reminder says it all
        if due > self._reminders and self._reminders < most:
            self.told.append((now, "still down"))
            self._reminders = due


def plans(chance: random.Random, count: int) -> Iterator[Plan]:
    for number in range(count):
        grace = timedelta(minutes=chance.choice((0, 30, 60, 360, 720)))
        if number % 2:
            yield Plan(grace, every=timedelta(hours=chance.choice((6, 12, 24, 48, 168))))
        else:
            # not in the hours that a change of the clocks takes away or gives twice
            hour, minute = chance.randrange(4, 24), chance.choice((0, 10, 30))
            yield Plan(grace, hour=hour, minute=minute, zone=chance.choice(ZONES))


def backups(chance: random.Random, plan: Plan, begin: datetime, days: int) -> set[int]:
    """The steps at which one comes: about as planned, with gaps of up to two weeks."""
    found: set[int] = set()
    at, end = begin, begin + timedelta(days=days)
    if chance.random() < 0.1:
        return found  # a client that was never set up
    while at < end:
        at = plan.due_after(at) + timedelta(minutes=chance.randrange(0, 50))
        if chance.random() < 0.06:
            at += timedelta(hours=chance.randrange(1, 330))
        found.add(int((at - begin) / STEP))
    return found


def absences(chance: random.Random, steps: int, longest: int = 200) -> set[int]:
    """The steps at which no server runs: killed at some point, back after minutes or days."""
    away: set[int] = set()
    for _ in range(max(1, steps // 700)):
        first = chance.randrange(steps)
        away.update(range(first, first + chance.choice((1, 2, 12, longest))))
    return away
