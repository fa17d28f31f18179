"""When a repository expects its backups, and how it is by that. Pure: everything is given.

A tick of a cron expression is computed in its time zone, everything else in UTC: six hours
of grace are six hours, whatever the clocks on the walls do meanwhile.
"""

from __future__ import annotations

import difflib
import zoneinfo
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from hive import schedule_words
from hive.errors import InvalidInput
from hive.kinds import Health, ScheduleKind
from hive.sentences import Inside, say

MIN_INTERVAL = timedelta(minutes=1)
MAX_INTERVAL = timedelta(days=366)
MAX_GRACE = timedelta(days=366)
MAX_CRON = 100  # characters
_EARLY = 4  # a backup counts for the coming tick in the last of so many parts of the time to it
LOOK_AGAIN = timedelta(minutes=5)  # while a session that is running may be the backup

_CRON_HELP = say(
    "Write five fields, minute hour day month weekday: '0 3 * * *' is every "
    "day at 03:00, '30 22 * * mon-fri' is 22:30 on working days."
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How often a backup is expected, and for how long one that is due may be missing.

    What cannot be a schedule is InvalidInput, also where it comes from the database.
    """

    kind: ScheduleKind
    interval: timedelta | None = None
    cron: str | None = None
    timezone: str | None = None
    grace: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        check_grace(self.grace)
        if self.kind == ScheduleKind.INTERVAL:
            _check_interval(self.interval)
        elif self.kind == ScheduleKind.CRON:
            check_timezone(self.timezone or "")
            _check_cron(self.cron or "")

    @property
    def in_words(self) -> str:
        """'every 12 hours', or 'every day at 03:00, Europe/Berlin': inside of a sentence."""
        words = schedule_words.in_words(self)
        return Inside(words.text, words.values)

    def due_after(self, at: datetime) -> datetime | None:
        """When a backup is due if the last one was made at `at`; None: never."""
        try:
            if self.interval is not None and self.kind == ScheduleKind.INTERVAL:
                return at.astimezone(UTC) + self.interval
            if self.cron is not None and self.kind == ScheduleKind.CRON:
                return _tick_after(self.cron, self.timezone or "UTC", at)
        except OverflowError as error:
            raise InvalidInput("%(at)s is out of range.", at=at.strftime("%Y-%m-%d")) from error
        return None

    def due_after_backup(self, at: datetime) -> datetime | None:
        """When the next backup is due after one that was made at `at`; None: never.

        One that came in the last quarter of the time between two ticks counts for the coming one:
        a client that is a little early has not missed anything.
        """
        due_at = self.due_after(at)
        if due_at is None or self.cron is None or self.kind != ScheduleKind.CRON:
            return due_at
        before = _tick_before(self.cron, self.timezone or "UTC", at)
        if before is None or due_at - at > (due_at - before) / _EARLY:
            return due_at
        return self.due_after(due_at)


Downtimes = tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a schedule is held against."""

    created_at: datetime
    last_backup_at: datetime | None = None
    # Until then nothing is expected; one that is over says since when backups are expected again.
    paused_until: datetime | None = None
    # A session that may be the backup runs, and may keep us waiting until then.
    running_until: datetime | None = None
    # No backup could reach the server before: DOWN waits for the grace after it.
    reachable_since: datetime | None = None
    # When the server was off, or is going to be: nothing could be expected. The oldest first.
    downtimes: Downtimes = ()


@dataclass(frozen=True)
class Outlook:
    """How a repository is, and what comes when nothing happens."""

    health: Health
    due_at: datetime | None  # when the next backup is late
    down_at: datetime | None
    look_at: datetime | None  # when the health may change next


def outlook(schedule: Schedule, record: Record, now: datetime) -> Outlook:
    """The health by this schedule. A repository that was never written is late from its creation.

    `due_at` and so LATE depend on the last backup only: a pause is not a backup. But DOWN waits
    until the first backup after the pause is missed as well, for none could be expected before.
    The same goes for what was due while the server was off.
    """
    if record.paused_until is not None and now < record.paused_until:
        return Outlook(Health.PAUSED, None, None, record.paused_until)
    well = Health.NEW if record.last_backup_at is None else Health.FINE
    due_at = _due_at(schedule, record)
    if due_at is None:
        return Outlook(Health.UNWATCHED, None, None, None)
    expected_at = due_at
    if record.paused_until is not None:
        expected_at = max(due_at, schedule.due_after(record.paused_until) or due_at)
    down_at = _after_downtimes(schedule, record, expected_at)
    if record.reachable_since is not None:
        down_at = max(down_at, record.reachable_since + schedule.grace)
    if now < due_at:
        return Outlook(well, due_at, down_at, due_at)
    if now < down_at:
        return Outlook(Health.LATE, due_at, down_at, down_at)
    if record.running_until is not None and now < record.running_until:
        look_at = min(now + LOOK_AGAIN, record.running_until)
        return Outlook(Health.LATE, due_at, down_at, look_at)
    return Outlook(Health.DOWN, due_at, down_at, None)


def fell_into(schedule: Schedule, record: Record, begun_at: datetime, ended_at: datetime) -> bool:
    """Whether a backup was due, or about to count as missing, while the server was off."""
    if record.paused_until is not None and ended_at < record.paused_until:
        return False
    due_at = _due_at(schedule, record)
    if due_at is None or due_at > ended_at:
        return False
    former = tuple(one for one in record.downtimes if one[1] < ended_at)
    return _after_downtimes(schedule, replace(record, downtimes=former), due_at) >= begun_at


def _due_at(schedule: Schedule, record: Record) -> datetime | None:
    if record.last_backup_at is None:
        return schedule.due_after(record.created_at)
    return schedule.due_after_backup(record.last_backup_at)


def _after_downtimes(schedule: Schedule, record: Record, expected_at: datetime) -> datetime:
    """When a backup that is expected then counts as missing.

    What was due while the server was off is expected again at the next time after it; what was
    about to count as missing has its grace once more.
    """
    down_at = expected_at + schedule.grace
    for begun_at, ended_at in record.downtimes:
        if begun_at <= expected_at <= ended_at:
            expected_at = schedule.due_after(ended_at) or expected_at
            down_at = max(down_at, expected_at + schedule.grace)
        elif begun_at <= down_at <= ended_at:
            down_at = ended_at + schedule.grace
    return down_at


def next_reminder(
    told_at: datetime, every: timedelta, expires: timedelta, now: datetime
) -> datetime | None:
    """When to repeat the notification of `told_at`; None: it was repeated often enough.

    Always a whole number of `every` after the first time: late reminders do not push the others.
    """
    if every <= timedelta(0):
        return None
    count = max(1, (now - told_at) // every + 1)
    at = told_at + count * every
    return at if at <= told_at + expires else None


def check_grace(grace: timedelta) -> None:
    if not timedelta(0) <= grace <= MAX_GRACE:
        raise InvalidInput("A grace is between 0 and 366 days: 6h, 90m, 2d.", field="grace")


def check_timezone(name: str) -> None:
    """InvalidInput unless it is the name of a time zone; says which one may be meant."""
    if name not in _timezones():
        lower = {known.lower(): known for known in _timezones()}
        near = difflib.get_close_matches(name[:64].lower(), lower, n=1)
        hint = (
            say("did you mean %(name)s?", name=lower[near[0]])
            if near
            else say("write for example Europe/Berlin.")
        )
        raise InvalidInput(
            "There is no time zone %(name)r: %(hint)s", field="timezone", name=name[:64], hint=hint
        )


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _check_interval(interval: timedelta | None) -> None:
    if interval is None or not MIN_INTERVAL <= interval <= MAX_INTERVAL:
        raise InvalidInput(
            "Backups are expected at least every 366 days and at most every minute: 1d, 12h, 90m.",
            field="every",
        )


@lru_cache(maxsize=1024)
def _check_cron(cron: str) -> None:
    if len(cron) > MAX_CRON:
        raise InvalidInput(
            "A cron expression has at most %(max_cron)s characters.",
            field="cron",
            max_cron=MAX_CRON,
        )
    if len(cron.split()) != 5:
        raise InvalidInput(
            "%(cron)r has %(count)s fields, not five. %(cron_help)s",
            field="cron",
            cron=cron,
            count=len(cron.split()),
            cron_help=_CRON_HELP,
        )
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        problem = str(error).lower()
        raise InvalidInput(
            "%(cron)r is not a valid cron expression: %(problem)s. %(cron_help)s",
            field="cron",
            cron=cron,
            problem=problem,
            cron_help=_CRON_HELP,
        ) from error
    except StopIteration:
        raise InvalidInput("%(cron)r never matches any date.", field="cron", cron=cron) from None


# Kept, for lists ask again and again about the same backups, and a tick takes long to find.
@lru_cache(maxsize=16_384)
def _tick_after(cron: str, timezone: str, at: datetime) -> datetime | None:
    # In the hour that the clocks go through twice, the tick of the first time may lie behind us.
    for tick in CronSim(cron, at.astimezone(ZoneInfo(timezone))):
        found = tick.astimezone(UTC)
        if found > at:
            return found
    return None


@lru_cache(maxsize=16_384)
def _tick_before(cron: str, timezone: str, at: datetime) -> datetime | None:
    """The last tick that is not after `at`."""
    local = at.astimezone(ZoneInfo(timezone)) + timedelta(minutes=1)
    for tick in CronSim(cron, local, reverse=True):
        found = tick.astimezone(UTC)
        if found <= at:
            return found
    return None
