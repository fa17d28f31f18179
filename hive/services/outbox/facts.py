"""What helps to judge a notification about a repository: its last backup, its key, its size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hive.clock import rfc3339
from hive.kinds import EventKind
from hive.models import Event, Repository, Session
from hive.sentences import Size, ago, say

_LOOKED_BACK = timedelta(days=7)  # for refusals, if there was no backup


@dataclass(frozen=True, kw_only=True)
class RepositoryFacts:
    """What is known of a repository at the moment of an event."""

    last_backup_at: datetime | None = None
    due_at: datetime | None = None
    size_bytes: int | None = None
    last_key: str | None = None
    last_address: str | None = None
    last_seen_at: datetime | None = None
    refusals: int = 0
    last_refusal: str = ""
    now: datetime

    def details(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "last_backup_at": _time(self.last_backup_at),
            "due_at": _time(self.due_at),
            "size_bytes": self.size_bytes,
            "last_key": self.last_key,
            "last_address": self.last_address,
            "last_seen_at": _time(self.last_seen_at),
            "refusals": self.refusals,
            "last_refusal": self.last_refusal or None,
        }

    def pairs(self) -> list[tuple[str, str]]:
        """The same for people; nothing of what is not known."""
        found: list[tuple[str, str]] = []
        if self.last_backup_at is not None:
            passed = ago(self.now - self.last_backup_at)
            value = say("%(at)s (%(ago)s)", at=self.last_backup_at, ago=passed)
            found.append((say("Last backup"), value))
        else:
            found.append((say("Last backup"), say("none yet")))
        if self.due_at is not None:
            name = say("Next due") if self.due_at > self.now else say("Due")
            found.append((name, say("%(at)s", at=self.due_at)))
        if self.size_bytes is not None:
            found.append((say("Size"), say("%(size)s", size=Size(self.size_bytes))))
        if self.last_key is not None:
            client = say(
                "key %(key)s from %(address)s, %(at)s",
                key=self.last_key,
                address=self.last_address,
                at=self.last_seen_at,
            )
            found.append((say("Last client"), client))
        if self.refusals:
            refused = (
                say("once: %(reason)s", reason=self.last_refusal)
                if self.refusals == 1
                else say(
                    "%(count)s times, last: %(reason)s",
                    count=self.refusals,
                    reason=self.last_refusal,
                )
            )
            found.append((say("Refused since then"), refused))
        return found


async def of_repository(
    repository_id: int, details: dict[str, Any], now: datetime
) -> RepositoryFacts:
    """Look it up, in four queries; `details` are those of the event."""
    row = await Repository.get(id=repository_id).values("last_backup_at", "due_at", "size_bytes")
    last = _moment(details.get("last_backup_at")) or row["last_backup_at"]
    last = last if last is not None and last <= now else None
    sessions = Session.filter(repository_id=repository_id).order_by("-started_at", "-id")
    session = await sessions.first().values("key_name", "peer", "started_at")
    refused = Event.filter(
        repository_id=repository_id,
        kind=EventKind.REFUSED,
        at__gte=last or now - _LOOKED_BACK,
    )
    count = await refused.count()
    refusal = await refused.order_by("-id").first() if count else None
    return RepositoryFacts(
        last_backup_at=last,
        due_at=_moment(details.get("due_at")) or row["due_at"],
        size_bytes=row["size_bytes"],
        last_key=session["key_name"] if session else None,
        last_address=session["peer"] if session else None,
        last_seen_at=session["started_at"] if session else None,
        refusals=count,
        last_refusal=refusal.message if refusal is not None else "",
        now=now,
    )


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
