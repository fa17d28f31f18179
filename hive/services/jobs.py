"""What is done again and again, whoever triggers it: a list of names, intervals and functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from hive import log
from hive.database import DriverError
from hive.errors import HiveError
from hive.services import alarms, statistics, trash, upkeeps

logger = log.get(__name__)


@dataclass(frozen=True)
class Job:
    """Run at start, and then whenever the interval has passed since it ended."""

    name: str
    interval: timedelta
    run: Callable[[], Awaitable[object]]


JOBS = (
    Job("empty the trash", timedelta(hours=1), trash.empty_expired),
    Job("measure the repositories", timedelta(days=1), statistics.measure_all),
    Job("thin out statistics", timedelta(days=1), statistics.thin_out),
    Job("want checks and compactions", timedelta(days=1), upkeeps.want_due),
    Job("watch the disks", timedelta(minutes=5), alarms.check_disks),
)


async def repeat(job: Job) -> None:
    """Run the job for ever; a time that fails is logged, and the next one comes."""
    while True:
        await run_once(job)
        await asyncio.sleep(job.interval.total_seconds())


async def run_once(job: Job) -> bool:
    """Run the job now; whether it came to its end."""
    try:
        result = await job.run()
    except (HiveError, DriverError, OSError) as error:
        logger.error("a job failed", job=job.name, reason=str(error))
        return False
    if result:
        logger.info("a job did something", job=job.name, count=result)
    return True
