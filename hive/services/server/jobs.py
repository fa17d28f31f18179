"""What is done again and again: a list of names, intervals and functions.

hive/services/server/scheduler.py does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from hive.services import triggers
from hive.services.accounts import expiry as access_expiry
from hive.services.delivery import deliveries
from hive.services.gate import refusals
from hive.services.health import days, missing, review
from hive.services.keys import expiry
from hive.services.lifecycle import staged_imports, trash
from hive.services.measurements import statistics
from hive.services.notifications import digests
from hive.services.outbox import downtimes, escalations
from hive.services.reports import logs, reports, upgrade
from hive.services.rollback import completion
from hive.services.server import former_days, handover
from hive.services.upkeep import making_room, queue


@dataclass(frozen=True)
class Job:
    """Done at the multiples of `interval`; what it returns is logged unless it is nothing."""

    name: str  # it is stored
    interval: timedelta
    run: Callable[[], Awaitable[object]]
    # Where between two multiples an installation does it: chosen once, at random, below this.
    jitter: timedelta = timedelta(0)
    limit: timedelta = timedelta(hours=1)  # what takes longer hangs
    at_start: bool = False  # also whenever the server starts
    waits_for_clock: bool = False  # it deletes, ends or reports something because time has passed


# What deletes, ends or reports something because time has passed.
_by_time = partial(Job, waits_for_clock=True)

JOBS = (
    Job(
        handover.JOB,
        timedelta(days=1),
        handover.hand_over_all,
        limit=timedelta(days=7),
        at_start=True,
    ),
    Job("note that the server is on", timedelta(seconds=30), downtimes.pulse),
    _by_time(
        "look at schedules", timedelta(seconds=30), review.review_due, limit=timedelta(minutes=10)
    ),
    _by_time("keep which backups are missing", timedelta(minutes=5), missing.note_missing),
    _by_time("forget old days", timedelta(days=1), days.forget_old, jitter=timedelta(hours=6)),
    Job(
        "draw up the days of former backups",  # of former versions; once
        timedelta(days=1),
        former_days.draw_up,
        limit=timedelta(hours=12),
        at_start=True,
    ),
    _by_time("empty the trash", timedelta(hours=1), trash.empty_expired, limit=timedelta(hours=12)),
    Job("complete rollbacks", timedelta(hours=1), completion.recover),
    Job(
        "measure the repositories",
        timedelta(days=1),
        statistics.measure_all,
        jitter=timedelta(hours=6),
        limit=timedelta(hours=12),
    ),
    Job(
        "measure what is outstanding",
        timedelta(days=1),
        statistics.measure_outstanding,
        limit=timedelta(hours=12),
        at_start=True,
    ),
    _by_time(
        "thin out statistics", timedelta(days=1), statistics.thin_out, jitter=timedelta(hours=6)
    ),
    _by_time(
        "want checks and compactions", timedelta(days=1), queue.queue_due, jitter=timedelta(hours=6)
    ),
    _by_time("write digests", timedelta(minutes=5), digests.write_due, limit=timedelta(minutes=30)),
    _by_time("escalate what nobody answers", timedelta(minutes=1), escalations.escalate_due),
    _by_time("discard old imports", timedelta(hours=1), staged_imports.discard_old),
    _by_time("end quiet alarms", timedelta(minutes=5), refusals.end_quiet),
    _by_time("end what has expired", timedelta(minutes=1), access_expiry.look, at_start=True),
    _by_time("warn of keys that expire", timedelta(hours=1), expiry.warn),
    _by_time("forget old notifications", timedelta(days=1), deliveries.thin_out),
    Job(
        "estimate what compaction needs",
        timedelta(hours=1),
        making_room.estimate,
        at_start=True,
    ),
    Job(
        "watch the disks",
        timedelta(minutes=1),
        making_room.look_after,
        limit=timedelta(minutes=10),
        at_start=True,
    ),
    Job("call the triggers", timedelta(seconds=10), triggers.run_due, limit=timedelta(minutes=5)),
    _by_time(
        "judge the runs", timedelta(seconds=30), reports.judge_due, limit=timedelta(minutes=10)
    ),
    _by_time(
        "forget old logs of clients", timedelta(days=1), logs.forget_old, jitter=timedelta(hours=6)
    ),
    Job(
        "move logs of clients into files",  # of former versions; once
        timedelta(days=1),
        upgrade.move_all_into_files,
        limit=timedelta(hours=12),
        at_start=True,
    ),
    _by_time(
        "sweep up logs of clients",
        timedelta(days=1),
        logs.sweep,
        jitter=timedelta(hours=6),
        at_start=True,
    ),
    _by_time(
        "forget old calls of triggers",
        timedelta(days=1),
        triggers.thin_out,
        jitter=timedelta(hours=6),
    ),
)

# What a demo has neither repositories on disk nor messages for is left out.
_OF_A_DEMO = (
    "note that the server is on",
    "look at schedules",
    "draw up the days of former backups",
)
OF_A_DEMO = tuple(job for job in JOBS if job.name in _OF_A_DEMO)
