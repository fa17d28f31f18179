"""What is said of a repository's health: sentences for people, numbers for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hive.clock import rfc3339
from hive.kinds import Health
from hive.schedule import Outlook, Schedule
from hive.sentences import ago, say


@dataclass(frozen=True)
class HealthReport:
    """A repository at the moment when something is said of it."""

    schedule: Schedule
    outlook: Outlook
    created_at: datetime
    last_backup_at: datetime | None
    former: Health
    since: datetime  # of the former health
    was_due_at: datetime | None
    now: datetime

    @property
    def lasted(self) -> timedelta:
        return max(self.now - self.since, timedelta(0))

    def details(self) -> dict[str, Any]:
        return {
            "health": self.outlook.health,
            "former": self.former,
            "since": rfc3339(self.since),
            "lasted_seconds": int(self.lasted.total_seconds()),
            "due_at": _time(self.outlook.due_at),
            "down_at": _time(self.outlook.down_at),
            "last_backup_at": _time(self.last_backup_at),
            "grace_seconds": int(self.schedule.grace.total_seconds()),
        }

    def late(self) -> str:
        down = self.outlook.down_at
        wait = "" if down is None else say(" It counts as down from %(down)s on.", down=down)
        return say(
            "A backup is late: %(last)s; one is due %(schedule)s.%(wait)s",
            last=self._last(),
            schedule=self.schedule.in_words,
            wait=wait,
        )

    def down(self) -> str:
        if self.last_backup_at is None:
            return say(
                "No backup yet since the repository was added %(ago)s; one was due %(schedule)s.",
                ago=self._ago(self.created_at),
                schedule=self.schedule.in_words,
            )
        return say(
            "No backup since %(last_backup_at)s, %(ago)s; one was due %(schedule)s.",
            last_backup_at=self.last_backup_at,
            ago=self._ago(self.last_backup_at),
            schedule=self.schedule.in_words,
        )

    def still_down(self) -> str:
        return say(
            "Still no backup, for %(lasted)s now. %(down)s", lasted=self.lasted, down=self.down()
        )

    def recovered(self) -> str:
        state = say(
            "the repository was %(former)s for %(lasted)s", former=self.former, lasted=self.lasted
        )
        made = self.last_backup_at
        if made is None or self.was_due_at is None or made < self.was_due_at:
            return say(
                "By the present schedule no backup is missing any more; %(state)s.",
                state=state,
            )
        overdue = made - self.was_due_at
        return say(
            "A backup was made, %(overdue)s after it was due; %(state)s.",
            overdue=overdue,
            state=state,
        )

    def resumed(self, by: str | None) -> str:
        how = (
            say("The pause is over")
            if by is None
            else say("The pause was ended by %(user)s", user=by)
        )
        if self.outlook.due_at is None:
            return say("%(how)s; no backup is expected because there is no schedule.", how=how)
        due_at = self.outlook.due_at
        if due_at <= self.now:
            return say("%(how)s; the next backup was due %(due_at)s.", how=how, due_at=due_at)
        return say("%(how)s; the next backup is due %(due_at)s.", how=how, due_at=due_at)

    def _last(self) -> str:
        if self.last_backup_at is None:
            return say("there is none yet, and it was expected by %(due)s", due=self._due())
        return say(
            "the last one was %(last_backup_at)s, %(ago)s",
            last_backup_at=self.last_backup_at,
            ago=self._ago(self.last_backup_at),
        )

    def _due(self) -> datetime:
        return self.outlook.due_at or self.now

    def _ago(self, at: datetime) -> str:
        return ago(self.now - at)


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
