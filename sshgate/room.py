"""What a full disk means for one session: no new data, and the ballast for what makes room.

Nobody knows before the client acts which sessions make room. A session below the reserve begins
like any other. New data is refused as it comes. A session that opens the repository to change it
gets the ballast of the storage root; if another session has the ballast, it may only read, and is
ended when it begins to change something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

from hive import log
from hive.background import spawn
from hive.borg.observer import Observer
from hive.borg.request_filter import RequestFilter
from hive.errors import AccessRefused, HiveError, RefusalCause
from hive.kinds import Access, EndReason, Need
from hive.services.gate.admission import Admission
from hive.services.storage import disks
from hive.services.upkeep import making_room

logger = log.get(__name__)

End = Callable[[EndReason, str], None]


class Room:
    """One for each session, open as long as it runs."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._refusal: str | None = None  # of new data, in words
        self._in_use: str | None = None  # why the ballast cannot be had
        self._has_asked = False
        self._is_answered = False  # new data, by `requests`
        self._is_over = False
        self._stack = AsyncExitStack()
        self._requests: RequestFilter | None = None
        self._observer: Observer | None = None

    async def __aenter__(self) -> Self:
        """AccessRefused where the session could bring nothing but new data."""
        admission = self._admission
        if admission.need == Need.EXPORT or admission.access == Access.READ_ONLY:
            return self
        self._refusal = await asyncio.to_thread(disks.refusal, admission.place.root)
        if self._refusal is None:
            return self
        spawn(_notify(), name="notify of a full disk")
        if admission.need == Need.IMPORT or not admission.is_created:
            raise AccessRefused(self._refusal, RefusalCause.UNAVAILABLE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await self._stack.aclose()

    def watch(self, requests: RequestFilter | None, observer: Observer | None) -> None:
        """Look at what passes from now on; `requests` answers borg 1's new data in words."""
        self._requests, self._observer = requests, observer
        if self._refusal is not None and requests is not None:
            requests.refuse_new_data(self._refusal)
            self._is_answered = True

    def passed(self, end: End) -> None:
        """The client sent something: see whether it changes the repository, or brings new data."""
        if self._refusal is None or self._observer is None:
            return
        if self._observer.brings_new_data and not self._is_answered:
            end(EndReason.DISK_FULL, self._refusal.rstrip("."))
        elif self._in_use is not None and self._observer.changes:
            end(EndReason.DISK_FULL, self._in_use.rstrip("."))
        elif self._will_change(self._observer) and not self._has_asked:
            self._has_asked = True
            spawn(self._borrow(), name="give up ballast")

    @property
    def has_refused(self) -> bool:
        """Whether new data was refused, so that the session ended by the full disk."""
        refused = self._requests.refused_methods if self._requests is not None else []
        return self._refusal is not None and "put" in refused

    def _will_change(self, observer: Observer) -> bool:
        """Whether the session may change something: borg 1 says so as it opens the repository."""
        return self._requests.exclusive if self._requests is not None else observer.changes

    async def _borrow(self) -> None:
        try:
            await self._stack.enter_async_context(making_room.borrowed(self._admission.place.root))
        except making_room.BallastInUse as error:
            self._in_use = error.message
        if self._is_over:  # it ended meanwhile
            await self._stack.aclose()


async def _notify() -> None:
    """A refusal says that the administrator knows: see to it that this is true."""
    try:
        await making_room.look_after_soon()
    except (HiveError, OSError) as error:
        logger.error("nobody was notified of a full disk", reason=str(error))
