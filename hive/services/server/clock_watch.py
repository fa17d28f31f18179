"""Watches the clock: administrators learn of a jump, and of what was put right after it."""

from __future__ import annotations

import time
from datetime import timedelta
from math import inf

from hive import clock, log
from hive.database import transactional
from hive.formats import format_duration
from hive.kinds import EventKind
from hive.models import Repository
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.checks import Check
from hive.services.clock import trust
from hive.services.delivery import deliveries
from hive.services.health import review
from hive.services.reports import reports
from hive.timekeeping import EARLIEST_YEAR, TOLERANCE, Doubt

logger = log.get(__name__)

SUBJECT = "clock"
UNKNOWN = "Clock jumped"
LOOK_EVERY = 5.0  # seconds
_WRITE_EVERY = 60.0
_REMEDY = (
    "Check it with timedatectl. It is trusted again after ten minutes without another jump where"
    " the system clock is synchronised, after an hour where it is not, or at once with"
    " `hive clock confirm`. Until then nothing is deleted, expired or reported as late."
)


class ClockWatch:
    """Looks at the clock every few seconds; the database is written each minute, or in doubt."""

    def __init__(self) -> None:
        self._written = -inf  # of time.monotonic
        self._reported: Doubt | None = None

    async def look(self) -> None:
        """Compare the clocks and report; after a jump, put right what counts from the clock."""
        doubt = await trust.doubt()
        is_due = time.monotonic() - self._written >= _WRITE_EVERY
        if is_due or doubt is not None:
            await trust.store()  # which takes over what an administrator has confirmed
            doubt = await trust.doubt()
        ended = trust.take_ended()
        if ended is not None and doubt is None:
            await _put_right(ended)
        if is_due or doubt != self._reported:
            self._written, self._reported = time.monotonic(), doubt
            await server_alarms.report(SUBJECT, None if doubt is None else trouble(doubt))


async def put_right_at_start() -> None:
    """Bring back what a clock that was ahead has put far ahead; call when the server starts."""
    if await trust.is_trusted():
        await _bring_back()


def trouble(doubt: Doubt) -> Trouble:
    """What to say of a jump; the same words as long as it is the same one."""
    return Trouble(
        EventKind.CLOCK_JUMPED,
        "The server's clock jumped",
        _in_words(doubt),
        _REMEDY,
        unknown=UNKNOWN,
    )


def _in_words(doubt: Doubt) -> str:
    shown = clock.rfc3339(doubt.since.wall)
    if doubt.since.wall.year < EARLIEST_YEAR:
        return f"The clock is wrong: it showed {shown}, which is long ago."
    way = "ahead" if doubt.jump > timedelta(0) else "back"
    expected = clock.rfc3339(doubt.confirmed.later(doubt.since))
    span = format_duration(timedelta(seconds=round(abs(doubt.jump).total_seconds())))
    return f"The clock jumped {way} by {span}: it showed {shown} where {expected} was expected."


async def _put_right(ended: Doubt) -> None:
    now = trust.reading()
    ahead = now.wall - ended.confirmed.later(now)
    logger.info("the clock is trusted again", time=clock.rfc3339(now.wall))
    if ahead > TOLERANCE:
        await _move_backups(ended, ahead)
    await _bring_back()


@transactional
async def _move_backups(ended: Doubt, ahead: timedelta) -> None:
    """Backups that were made in doubt have the time that was estimated, which was not right."""
    made = Repository.filter(last_backup_at__gt=ended.confirmed.wall)
    for row in await made.only("id", "last_backup_at"):
        former = row.last_backup_at
        if former is not None:
            at = min(former + ahead, clock.now())
            await Repository.filter(id=row.id, last_backup_at=former).update(last_backup_at=at)


async def _bring_back() -> None:
    await review.look_at_all()
    await deliveries.bring_back()
    await reports.bring_back()


async def findings() -> list[Check]:
    """What `hive doctor` says of a clock that jumped, as this process sees it."""
    doubt = await trust.doubt()
    if doubt is None:
        return []
    return [Check("error", "Clock", _in_words(doubt), _REMEDY)]
