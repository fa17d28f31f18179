"""Following what happens to the repositories that one may see, as it happens.

However much happens and however slowly it is read, nothing piles up: a follower keeps which
repositories something happened to and the newest progress of each session, not every message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from hive import long_work, signals
from hive.errors import TooMany
from hive.long_work import WorkInfo, WorkKind
from hive.models import Repository, Session
from hive.services.permissions import Actor, visible_repositories
from hive.signals import (
    Happening,
    RepositoryEvent,
    RightsChanged,
    SessionProgress,
    StatusAsked,
    WorkProgress,
)


@dataclass(frozen=True)
class Progress:
    """How far a session that runs is."""

    session_id: int
    started_at: datetime
    bytes_in: int
    bytes_out: int
    bytes_per_second: int


@dataclass(frozen=True)
class News:
    """What happened since the last time: something (pages must be fetched again), and progress."""

    has_changed: bool
    progress: tuple[Progress, ...]
    works: tuple[WorkInfo, ...] = ()


class Follower:
    """Collects what happens while it is entered; `news` gives what the actor may know of it."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._repositories: set[int] = set()
        self._progress: dict[int, SessionProgress] = {}
        self._works: set[tuple[int, str]] = set()
        self._has_new_rights = False
        self._unsubscribe: Callable[[], None] | None = None
        self.has_ended = False

    def __enter__(self) -> Follower:
        self._unsubscribe = signals.subscribe(self._note)
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def end(self) -> None:
        """Have all waiting readers stop: the server stops."""
        self.has_ended = True
        self._wake.set()

    async def wait(self) -> None:
        """Until something happens, or the end comes."""
        if not self.has_ended:
            await self._wake.wait()

    async def news(self, actor: Actor) -> News:
        """What has happened since it was asked for the last time, of what the actor may see."""
        self._wake.clear()
        repositories, self._repositories = self._repositories, set()
        progress, self._progress = self._progress, {}
        works, self._works = self._works, set()
        has_new_rights, self._has_new_rights = self._has_new_rights, False
        return News(
            has_changed=has_new_rights or await _sees_any(actor, repositories),
            progress=await _visible(actor, progress),
            works=await _visible_works(actor, works),
        )

    def _note(self, happening: Happening) -> None:
        if isinstance(happening, RepositoryEvent | StatusAsked):
            self._repositories.add(happening.repository_id)
        elif isinstance(happening, SessionProgress):
            self._progress[happening.session_id] = happening
        elif isinstance(happening, WorkProgress) and happening.is_change:
            self._repositories.add(happening.repository_id)
        elif isinstance(happening, WorkProgress):
            self._works.add((happening.repository_id, happening.kind))
        elif isinstance(happening, RightsChanged):
            self._has_new_rights = True
        else:
            return
        self._wake.set()


class Followers:
    """All that follow now: only so many for each login and each user."""

    def __init__(self, *, per_login: int, per_user: int) -> None:
        self._per_login = per_login
        self._per_user = per_user
        self._open: dict[Follower, tuple[int, str]] = {}

    @contextmanager
    def follow(self, user_id: int, login: str) -> Iterator[Follower]:
        """Follow what happens; TooMany where this login or user does so too often already."""
        owners = self._open.values()
        if (
            sum(other == (user_id, login) for other in owners) >= self._per_login
            or sum(user == user_id for user, _ in owners) >= self._per_user
        ):
            raise TooMany("Too many of your pages are open. Close some to update this one live.")
        with Follower() as follower:
            self._open[follower] = (user_id, login)
            try:
                yield follower
            finally:
                del self._open[follower]

    def end_all(self) -> None:
        for follower in self._open:
            follower.end()


async def _sees_any(actor: Actor, repositories: Collection[int]) -> bool:
    if not repositories:
        return False
    visible = await visible_repositories(actor)
    return await Repository.filter(visible, id__in=list(repositories)).exists()


async def _visible(actor: Actor, told: Mapping[int, SessionProgress]) -> tuple[Progress, ...]:
    if not told:
        return ()
    rows = await Session.filter(id__in=list(told)).values("id", "repository_id", "started_at")
    visible = await Repository.filter(
        await visible_repositories(actor), id__in=[row["repository_id"] for row in rows]
    ).values("id")
    ids = {row["id"] for row in visible}
    return tuple(
        Progress(
            one.session_id,
            row["started_at"],
            one.bytes_in,
            one.bytes_out,
            one.bytes_per_second,
        )
        for row in rows
        if row["repository_id"] in ids and (one := told[row["id"]])
    )


async def _visible_works(actor: Actor, told: Collection[tuple[int, str]]) -> tuple[WorkInfo, ...]:
    if not told:
        return ()
    visible = Repository.filter(
        await visible_repositories(actor), id__in=[repository_id for repository_id, _ in told]
    )
    ids = {row["id"] for row in await visible.values("id")}
    found = (long_work.one(one, WorkKind(kind)) for one, kind in sorted(told) if one in ids)
    return tuple(work for work in found if work is not None)
