"""Versions: what was on a form when it was opened, so that no save undoes a change unseen.

A version is a digest of what people may change of a thing; what the server itself writes there
(when a key was used last, whether a backup is late) is no part of it. Every service that takes a
version compares it in the transaction of the change, with `require` or `holding`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tortoise.models import Model

from hive.database import transactional
from hive.errors import Conflict
from hive.models import (
    Channel,
    ChannelShare,
    Group,
    Key,
    KeyShare,
    Location,
    Membership,
    Preference,
    Repository,
    RepositoryShare,
    RepositoryTag,
    Rule,
    RuleChannel,
    Trigger,
    User,
)
from hive.sentences import say

R = TypeVar("R")


class Thing(StrEnum):
    """What people change with a form."""

    REPOSITORY = "repository"
    SCHEDULE = "schedule"  # of a repository, with its tags
    KEY = "key"
    USER = "user"
    OWN_ACCOUNT = "account"
    GROUP = "group"
    CHANNEL = "channel"
    RULE = "rule"
    TRIGGER = "trigger"
    LOCATION = "location"
    PREFERENCES = "preferences"  # by the id of their user


@dataclass(frozen=True)
class Version:
    """What somebody saw of a thing."""

    thing: Thing
    digest: str


@dataclass(frozen=True)
class _Part:
    """The rows that belong to a thing: those with its id in `column`.

    only      the columns that count; none given: all but `without`
    without   what the server itself writes
    """

    model: type[Model]
    column: str = "id"
    only: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        known = self.model._meta.fields_db_projection  # noqa: SLF001 - the ORM's own name for it
        return sorted(self.only or set(known) - self.without)


_OF_CHANNEL = frozenset(
    {
        "created_at",
        "failing_since",
        "failures",
        "next_try",
        "last_error",
        "refused_address",
        "worked_at",
    }
)
LOOK = ("timezone", "language", "theme")  # of pages: their person's own affair
_OF_USER = frozenset({"created_at", "last_login_at", "password_hash", *LOOK})
_OF_LOCATION = frozenset({"created_at", "uid", "marked_at", "away_since", "returned_at"})
_CREATED = frozenset({"created_at"})
_ID = frozenset({"id"})
SCHEDULE = (
    "schedule_kind",
    "schedule_seconds",
    "schedule_cron",
    "schedule_timezone",
    "grace_seconds",
)

_PARTS: Mapping[Thing, tuple[_Part, ...]] = {
    Thing.REPOSITORY: (
        _Part(Repository, only=("name", "owner_id", "quota_bytes")),
        _Part(RepositoryShare, "repository_id", without=_ID),
    ),
    Thing.SCHEDULE: (
        _Part(Repository, only=SCHEDULE),
        _Part(RepositoryTag, "repository_id", only=("tag",)),
    ),
    Thing.KEY: (
        _Part(Key, without=frozenset({"created_at", "last_used_at"})),
        _Part(KeyShare, "key_id", without=_ID),
    ),
    Thing.USER: (_Part(User, without=_OF_USER),),
    Thing.OWN_ACCOUNT: (_Part(User, only=LOOK),),
    Thing.GROUP: (
        _Part(Group, without=_CREATED),
        _Part(Membership, "group_id", without=_CREATED | _ID),
    ),
    Thing.CHANNEL: (
        _Part(Channel, without=_OF_CHANNEL),
        _Part(ChannelShare, "channel_id", without=_ID),
    ),
    Thing.RULE: (
        _Part(Rule, without=_CREATED),
        _Part(RuleChannel, "rule_id", only=("channel_id",)),
    ),
    Thing.TRIGGER: (_Part(Trigger, without=_CREATED | {"next_at"}),),
    Thing.LOCATION: (_Part(Location, without=_OF_LOCATION),),
    Thing.PREFERENCES: (_Part(Preference, "user_id", without=_ID),),
}


class Changed(Conflict):
    """Nothing was saved: what the form showed is no longer what is stored."""

    def __init__(self) -> None:
        super().__init__(
            say(
                "This was changed after you opened it. What is stored now is shown below your"
                " values; save again to keep yours."
            )
        )


async def digest_of(thing: Thing, thing_id: int) -> str:
    """The version of a thing as it is now. Read it before the thing itself."""
    seen: list[object] = []
    for part in _PARTS[thing]:
        rows = await part.model.filter(**{part.column: thing_id}).values_list(*part.columns)
        seen.append(sorted(json.dumps(row, default=str) for row in rows))
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


async def require(thing_id: int, expected: Version | None) -> None:
    """Raise Changed unless the thing is as it was; None expects nothing.

    Call in the transaction of the change.
    """
    if expected is not None and await digest_of(expected.thing, thing_id) != expected.digest:
        raise Changed


@transactional
async def holding(thing_id: int, expected: Version | None, change: Callable[[], Awaitable[R]]) -> R:
    """Change a thing that is still as it was, in one transaction; Changed where it is not."""
    await require(thing_id, expected)
    return await change()
