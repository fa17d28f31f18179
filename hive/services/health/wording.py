"""What is said of a repository's health: sentences for people, numbers for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hive.clock import rfc3339
from hive.formats import moment, span
from hive.kinds import Health
from hive.schedule import Outlook, Schedule


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
        wait = "" if down is None else f" It counts as down from {moment(down)} on."
        return f"A backup is late: {self._last()}; one is due {self.schedule.in_words}.{wait}"

    def down(self) -> str:
        if self.last_backup_at is None:
            return (
                f"No backup yet since the repository was added {self._ago(self.created_at)};"
                f" one was due {self.schedule.in_words}."
            )
        return (
            f"No backup since {moment(self.last_backup_at)}, {self._ago(self.last_backup_at)};"
            f" one was due {self.schedule.in_words}."
        )

    def still_down(self) -> str:
        return f"Still no backup, for {span(self.lasted)} now. {self.down()}"

    def recovered(self) -> str:
        state = f"the repository was {self.former} for {span(self.lasted)}"
        made = self.last_backup_at
        if made is None or self.was_due_at is None or made < self.was_due_at:
            return f"No backup is missing any more by the schedule as it is now; {state}."
        overdue = span(made - self.was_due_at)
        return f"A backup was made, {overdue} after it was due; {state}."

    def resumed(self, by: str | None) -> str:
        how = "The pause is over" if by is None else f"The pause was ended by {by}"
        if self.outlook.due_at is None:
            return f"{how}; no backup is expected, for there is no schedule."
        verb = "was" if self.outlook.due_at <= self.now else "is"
        return f"{how}; the next backup {verb} due {moment(self.outlook.due_at)}."

    def _last(self) -> str:
        if self.last_backup_at is None:
            return f"there is none yet, and it was expected by {moment(self._due())}"
        return f"the last one was {moment(self.last_backup_at)}, {self._ago(self.last_backup_at)}"

    def _due(self) -> datetime:
        return self.outlook.due_at or self.now

    def _ago(self, at: datetime) -> str:
        return f"{span(self.now - at)} ago"


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
