"""Watches the database: by writing a row and reading it, and its file by what identifies it.

If the file was deleted or replaced, everything is written to the open one, which nobody finds
again: the server then takes no sessions and no changes, keeps a copy and says how to recover.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path

from hive import clock, database, log, memory
from hive.database_file import DatabaseFile, says_damaged
from hive.driver_error import DriverError
from hive.errors import DatabaseFull, HiveError, Unavailable
from hive.kinds import EventKind
from hive.sentences import say
from hive.services import runtime
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.clock import trust

logger = log.get(__name__)

LOOK_EVERY = 10.0  # seconds
_SOON = 0.5
SUBJECT = "database"
_NONE = (0, 0)  # no file: commands must not open the one that lies there
_COPY_EVERY = 60.0  # of a file that is lost, as long as sessions end in it
_CHECK_EVERY = 60.0
_CHECK_SHARE = 100  # a check may take one part in so many of the time
NO_SESSIONS = say(
    "The server's database file was deleted or replaced, so it takes no sessions: its"
    " administrator must put it back and restart the server. `hive doctor` says how."
)

NO_JOBS = say("The database file is lost: nothing is done until the server is restarted with it.")


HELD = say(
    "Another process keeps the server's database locked, so nothing can be changed: try again when"
    " it has ended."
)


@dataclass
class _Memory:
    lost: str | None = None  # how, in words; None while the file is in its place
    is_silent: bool = False  # queries would wait, as found at the last look


def is_lost() -> bool:
    """Whether what is written now would be gone with the server."""
    return memory.of(_Memory).lost is not None


def is_silent() -> bool:
    """Whether sessions would wait for the database in vain: it is locked, or does not answer."""
    return memory.of(_Memory).is_silent


def require_kept() -> None:
    """Raise Unavailable where a change would be gone with the server."""
    if is_lost():
        raise Unavailable(
            "The server's database file was deleted or replaced, so nothing can be changed: an"
            " administrator must put it back and restart the server. `hive doctor` says how."
        )


class DatabaseWatch:
    """Looks at the database of the running server."""

    def __init__(self, file: DatabaseFile | None) -> None:
        self._file = file  # None: another engine, which looks after its own
        self._copied = -inf  # of time.monotonic
        self._copy: Path | None = None
        self._next_check = time.monotonic()
        self._damage: str | None = None
        self._is_held = False  # locked by another process
        self._has_answered = True  # at the last look

    @property
    def pause(self) -> float:
        """Seconds until the next look: sessions wait for the end of a silence."""
        return _SOON if is_silent() else LOOK_EVERY

    async def look(self) -> None:
        """Look whether the file is there, can be written, and is whole; and report."""
        self._has_answered = False
        if self._file is not None:
            await self._look_at_place(self._file)
            await self._look_at_lock(self._file)
        trouble = self._about_loss() or self._about_lock() or await self._try_to_write()
        self._has_answered, memory.of(_Memory).is_silent = True, self._is_held
        await server_alarms.report(SUBJECT, trouble or await self._check())

    async def hangs(self) -> None:
        """Report that a look takes too long, unless it is known already what is wrong."""
        memory.of(_Memory).is_silent = not self._has_answered
        if server_alarms.is_on(SUBJECT):
            return
        words = say("The server's database does not answer, so no session can begin.")
        await server_alarms.report(SUBJECT, _trouble("The database does not answer", words, ""))

    async def save(self) -> None:
        """Keep once more what a lost file holds; call before the server ends."""
        if self._file is not None and is_lost():
            await self._keep_copy(self._file)

    async def _look_at_place(self, file: DatabaseFile) -> None:
        known = memory.of(_Memory)
        former, known.lost = known.lost, await asyncio.to_thread(file.lost)
        if known.lost is None:
            self._copy, self._copied = None, -inf
            if former is not None:
                await asyncio.to_thread(runtime.note_database, (file.device, file.inode))
            return
        if former is None:
            await asyncio.to_thread(runtime.note_database, _NONE)
            logger.error("the database file is lost", path=str(file.path), how=known.lost)
        if time.monotonic() - self._copied >= _COPY_EVERY:
            await self._keep_copy(file)

    async def _keep_copy(self, file: DatabaseFile) -> None:
        stamp = f"{clock.now():%Y%m%dT%H%M%S}"
        target = self._copy or file.path.with_name(f"{file.path.name}.rescued-{stamp}")
        try:
            await database.copy_to(target)
        except (DriverError, HiveError, OSError, sqlite3.Error) as error:
            logger.error("the open database cannot be copied", to=str(target), reason=str(error))
            return
        if self._copy is None:
            logger.error("the open database was copied", to=str(target))
        self._copy, self._copied = target, time.monotonic()

    def _about_loss(self) -> Trouble | None:
        lost = memory.of(_Memory).lost
        if lost is None or self._file is None:
            return None
        remedy = say("Restart the server when %(path)s is back in its place.", path=self._file.path)
        if self._copy is not None:
            remedy = say(
                "What it held is kept in %(copy)s. Stop the server, then run: cp "
                "%(copy)s %(path)s; rm -f %(path)s-wal %(path)s-shm; and start it again.",
                copy=self._copy,
                path=self._file.path,
            )
        words = say(
            "The server's database file %(lost)s while the server runs: no session begins.",
            lost=lost,
        )
        return _trouble(say("The database file is lost"), words, remedy)

    async def _look_at_lock(self, file: DatabaseFile) -> None:
        """Try the lock on a connection of this look alone: no session waits behind it."""
        is_held = not is_lost() and await asyncio.to_thread(file.is_held)
        self._is_held = is_held and not database.is_writing()
        database.refuse_transactions(HELD if self._is_held else None)

    def _about_lock(self) -> Trouble | None:
        if not self._is_held or self._file is None:
            return None
        return _fails(
            say(
                "Another process keeps %(path)s locked: find it (fuser %(path)s) and end it.",
                path=self._file.path,
            )
        )

    async def _try_to_write(self) -> Trouble | None:
        denied = None
        if self._file is not None:
            denied = await asyncio.to_thread(self._file.unwritable)
        if denied is not None:
            words = say("The server's database cannot be written.")
            return _trouble(
                say("The database cannot be written"),
                words,
                say("%(path)s: correct its mode.", path=denied),
            )
        try:
            is_the_same = await trust.store()
        except DatabaseFull as error:
            words = say("The disk of the server's database is full, so nothing can be recorded.")
            return _trouble(
                say("The database's disk is full"),
                words,
                say("Make room. %(problem)s", problem=error.message),
            )
        except (HiveError, DriverError) as error:
            if says_damaged(error):
                return _damaged(str(error))
            return _fails(say("%(problem)s `hive doctor` says more.", problem=error))
        if not is_the_same:
            words = say("The server's database does not keep what is written to it.")
            return _trouble(
                say("The database fails"), words, say("Restore a backup of the database.")
            )
        return None

    async def _check(self) -> Trouble | None:
        """Search the whole file; a large one more seldom, so that it costs little."""
        if self._file is not None and time.monotonic() >= self._next_check:
            self._damage, seconds = await asyncio.to_thread(self._file.damage)
            pause = max(_CHECK_EVERY / 2, seconds * _CHECK_SHARE)
            self._next_check = time.monotonic() + pause
        return None if self._damage is None else _damaged(self._damage)


def _fails(remedy: str) -> Trouble:
    words = say("The server's database cannot be read or written, so no session can begin.")
    return _trouble(say("The database fails"), words, remedy)


def _damaged(found: str) -> Trouble:
    remedy = say(
        "Stop the server and restore a backup of the database. SQLite says: %(found)s", found=found
    )
    return _trouble("The database is damaged", "The server's database is damaged.", remedy)


def _trouble(title: str, words: str, remedy: str) -> Trouble:
    return Trouble(EventKind.DATABASE_IN_TROUBLE, title, words, remedy)


def watch() -> DatabaseWatch:
    """A watch of the database that this process has open."""
    return DatabaseWatch(runtime.database_file())
