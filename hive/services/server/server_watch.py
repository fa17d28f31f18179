"""What the server watches of itself: each in a separate task: one that hangs stops no other.

What is found goes to hive/services/alarms/server_alarms.py, at every look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hive import log
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.services.server import clock_watch, database_watch, mail_watch, program_watch

logger = log.get(__name__)

_DEADLINE = 30.0  # seconds for one look


async def watch_clock() -> None:
    """Look at the clock until cancelled."""
    watch = clock_watch.ClockWatch()
    await _again_and_again("clock", watch.look, every=lambda: clock_watch.LOOK_EVERY)


async def watch_database(watch: database_watch.DatabaseWatch) -> None:
    """Look at the database until cancelled."""
    await _again_and_again(
        "database", watch.look, every=lambda: watch.pause, on_hanging=watch.hangs
    )


async def watch_programs(watch: program_watch.ProgramWatch) -> None:
    """Look at the programs of sessions until cancelled."""
    await _again_and_again("programs", watch.look, every=lambda: program_watch.LOOK_EVERY)


async def watch_mail(watch: mail_watch.MailWatch) -> None:
    """Look at the mail relay until cancelled."""
    await _again_and_again("mail relay", watch.look, every=lambda: mail_watch.LOOK_EVERY)


async def _again_and_again(
    what: str,
    look: Callable[[], Awaitable[None]],
    *,
    every: Callable[[], float],
    on_hanging: Callable[[], Awaitable[None]] | None = None,
) -> None:
    while True:
        try:
            async with asyncio.timeout(_DEADLINE):
                await look()
        except TimeoutError:
            logger.error("a look takes too long", what=what, seconds=_DEADLINE)
            if on_hanging is not None:
                await on_hanging()
        except (HiveError, DriverError, OSError) as error:
            logger.error("a look failed", what=what, reason=str(error))
        await asyncio.sleep(every())
