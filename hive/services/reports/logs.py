"""The logs of reports: redacted and stored when they come, read, moved and swept up.

What one token sends on one day is bounded, which never costs a report: its log gets shorter, and
says so. hive/services/reports/space.py bounds what a repository's logs take on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hive import clock, log
from hive.database import transactional
from hive.formats import format_size
from hive.models import PingToken, Repository, Run
from hive.off_loop import off_loop
from hive.services import runtime
from hive.services.reports import log_files, redaction, verdicts
from hive.services.reports.log_files import LogFile
from hive.services.reports.tokens import Admitted

logger = log.get(__name__)

LAST_LINES = 850  # characters; as much as an event takes
_TAIL_LINES = 12
_SHORT = 4096  # bytes
_LEAST_BYTES = 16 * 1024  # of a log that is kept even if the day is used up
_AT_ONCE = 200


@dataclass(frozen=True)
class Stored:
    """A log that lies in its file, and what it says."""

    file: LogFile | None  # None: it could not be stored
    claim: verdicts.Claim
    last_lines: str
    is_cut: bool


async def store(admitted: Admitted, text: str) -> Stored:
    """Redact and store what a client sent. Call outside of transactions, and name it in a row."""
    place = await Repository.get(id=admitted.repository_id)
    size = log_files.size_of(text)
    granted = await _spend(admitted.token_id, size)
    # short logs do not queue behind the long ones of others
    run = off_loop if size > _SHORT else asyncio.to_thread
    return await run(_store, admitted, text, granted if granted < size else None, place)


@transactional
async def _spend(token_id: int, wanted: int) -> int:
    """Take from what the token may still send today; how much that is."""
    today = clock.now().date().toordinal()
    token = await PingToken.get_or_none(id=token_id)
    if token is None:
        return 0
    if token.log_day != today:
        token.log_day, token.log_day_bytes = today, 0
    left = runtime.settings().reports.token_bytes_per_day - token.log_day_bytes
    granted: int = max(0, min(wanted, left))
    token.log_day_bytes += granted
    await token.save(update_fields=["log_day", "log_day_bytes"])
    return granted


def _store(admitted: Admitted, text: str, granted: int | None, place: Repository) -> Stored:
    """`granted` bytes may be kept; None: all of it."""
    claim = verdicts.claim(text, login=place.login, directory=place.directory)
    kept = text if granted is None else _end(text, max(granted, _LEAST_BYTES))
    is_cut = len(kept) < len(text)
    kept = redaction.redact(kept.replace("\0", "\N{REPLACEMENT CHARACTER}"), admitted.token)
    tail = last_lines(kept)
    if is_cut:
        most = format_size(runtime.settings().reports.token_bytes_per_day)
        kept = (
            f"... only the end is kept: this token has sent more than {most} of logs today"
            f" (reports.token_bytes_per_day) ...\n{kept}"
        )
    return Stored(write(admitted.repository_id, kept), claim, tail, is_cut)


def _end(text: str, most: int) -> str:
    """Whole lines alone: half a line could hold half a secret, which no rule would find."""
    end = log_files.end_of(text, most)
    return end if len(end) == len(text) or "\n" in text[-len(end) - 1 : -len(end)] else ""


def write(repository_id: int, text: str) -> LogFile | None:
    try:
        return log_files.write(repository_id, text)
    except OSError as error:
        # the report itself must not be lost with it
        logger.error("a log cannot be stored", repository_id=repository_id, reason=str(error))
        return None


def last_lines(text: str) -> str:
    """Return the end of a log, as much as an event takes."""
    lines = [line.rstrip() for line in text[-64 * 1024 :].splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL_LINES:])[-LAST_LINES:]


async def read(row: Run) -> str:
    """The log of a run; nothing where it has none, or none any more."""
    if row.log_file is None:
        return row.log
    try:
        return await off_loop(log_files.read, row.repository_id, row.log_file)
    except OSError as error:
        logger.warning("a log cannot be read", run=row.id, reason=str(error))
        return ""


async def remove(repository_id: int, names: Sequence[str | None]) -> None:
    """Delete files that no row names any more."""
    if any(names):
        await asyncio.to_thread(log_files.remove, repository_id, names)


async def replace_file(row: Run, new: LogFile | None) -> int:
    """Have the row name the new file, unless it names another by now; the bytes that are freed."""
    unchanged = Run.filter(id=row.id, log_file=row.log_file)
    name, size = (new.name, new.bytes) if new is not None else (None, 0)
    if not await unchanged.update(log_file=name, log_bytes=size):
        await remove(row.repository_id, [name])
        return 0
    await remove(row.repository_id, [row.log_file])
    return row.log_bytes - size


async def forget_old() -> int:
    """Drop the logs that are older than reports.log_days; the runs themselves stay."""
    before = clock.now() - timedelta(days=runtime.settings().reports.log_days)
    dropped = await Run.filter(ended_at__lt=before).exclude(log="").update(log="")
    while True:
        rows = Run.filter(ended_at__lt=before, log_bytes__gt=0).order_by("id").limit(_AT_ONCE)
        old = await rows.only("id", "repository_id", "log_file", "log_bytes")
        if not old:
            return dropped
        for row in old:
            await replace_file(row, None)
        dropped += len(old)


async def forget_repository(repository_id: int) -> None:
    """Delete all logs of a repository whose row is gone."""
    await asyncio.to_thread(log_files.remove_all, repository_id)


async def sweep() -> int:
    """Delete files that no row names: of a killed server, of what was deleted meanwhile."""
    swept = 0
    for repository_id in await asyncio.to_thread(log_files.repositories):
        files = await asyncio.to_thread(log_files.settled, repository_id)
        rows = Run.filter(repository_id=repository_id, log_bytes__gt=0)
        files -= set(await rows.values_list("log_file", flat=True))
        await remove(repository_id, sorted(files))
        swept += len(files)
        if not await Repository.filter(id=repository_id).exists():
            await forget_repository(repository_id)
    return swept
