"""The logs of reports: prepared, bounded, shortened, swept; hive/services/log_files.py stores them.

Two bounds: what one token sends on one day, and what the logs of one repository take on the disk.
Neither ever costs a report: only its log gets shorter, and says so.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tortoise.functions import Sum

from hive import clock, log
from hive.database import transactional
from hive.models import PingToken, Repository, Run
from hive.off_loop import off_loop
from hive.services import log_files, redaction, run_rules, runtime
from hive.services.log_files import LogFile
from hive.services.ping_tokens import Admitted
from hive.units import format_size

logger = log.get(__name__)

LAST_LINES = 850  # characters; as much as an event takes
_TAIL_LINES = 12
_SHORT = 4096  # bytes
_LEAST_BYTES = 16 * 1024  # of a log that is kept even if the day is used up
_ROOM = 0.9  # share of the bound that is left filled, so that not every report makes room
_AT_ONCE = 200

_making_room: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Stored:
    """A log that lies in its file, and what it says."""

    file: LogFile | None  # None: it could not be stored
    claim: run_rules.Claim
    last_lines: str
    is_cut: bool

    @property
    def details(self) -> dict[str, Any]:
        return {"claim": self.claim.value, "tail": self.last_lines}


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
    claim = run_rules.claim(text, login=place.login, directory=place.directory)
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
    return Stored(_write(admitted.repository_id, kept), claim, tail, is_cut)


def _end(text: str, most: int) -> str:
    """Whole lines alone: half a line could hold half a secret, which no rule would find."""
    end = log_files.end_of(text, most)
    return end if len(end) == len(text) or "\n" in text[-len(end) - 1 : -len(end)] else ""


def _write(repository_id: int, text: str) -> LogFile | None:
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


async def keep_within_bounds(repository_id: int, newest: int) -> None:
    """Shorten the oldest logs of the repository, then drop them, then forget the oldest runs.

    The run `newest` keeps its log whole.
    """
    lock = _making_room.setdefault(repository_id, asyncio.Lock())
    async with lock:
        bounds = runtime.settings().reports
        taken = await _taken(repository_id)
        if taken > bounds.repository_bytes:
            target = int(bounds.repository_bytes * _ROOM)
            taken = await _shorten_oldest(repository_id, newest, taken, target)
            await _drop_oldest(repository_id, newest, taken, target)
        await _forget_oldest(repository_id, bounds.runs_per_repository)


async def _taken(repository_id: int) -> int:
    rows = Run.filter(repository_id=repository_id, log_bytes__gt=0)
    (found,) = await rows.annotate(taken=Sum("log_bytes")).values("taken")
    return found["taken"] or 0


async def _shorten_oldest(repository_id: int, newest: int, taken: int, target: int) -> int:
    rows = Run.filter(repository_id=repository_id, log_bytes__gt=log_files.SHORT_FILE)
    rows = rows.exclude(id=newest).order_by("id").limit(_AT_ONCE)
    for row in await rows.only("id", "repository_id", "log", "log_file", "log_bytes"):
        if taken <= target:
            break
        text = await read(row)
        short = await off_loop(_write, repository_id, _shortened(text))
        taken -= await _replace(row, short)
    return taken


def _shortened(text: str) -> str:
    return (
        "... shortened to its end, to make room for newer logs (reports.repository_bytes) ...\n"
        + log_files.end_of(text, log_files.SHORT_TEXT)
    )


async def _drop_oldest(repository_id: int, newest: int, taken: int, target: int) -> None:
    while taken > target:
        rows = Run.filter(repository_id=repository_id, log_bytes__gt=0).exclude(id=newest)
        oldest = await rows.order_by("id").limit(_AT_ONCE).only("id", "log_file", "log_bytes")
        if not oldest:
            return
        for row in oldest:
            if taken > target:
                row.repository_id = repository_id
                taken -= await _replace(row, None)


async def _replace(row: Run, new: LogFile | None) -> int:
    """Have the row name the new file, unless it names another by now; the bytes that are freed."""
    unchanged = Run.filter(id=row.id, log_file=row.log_file)
    name, size = (new.name, new.bytes) if new is not None else (None, 0)
    if not await unchanged.update(log_file=name, log_bytes=size):
        await remove(row.repository_id, [name])
        return 0
    await remove(row.repository_id, [row.log_file])
    return row.log_bytes - size


async def _forget_oldest(repository_id: int, most: int) -> None:
    """Runs that were judged are history; the others are still to be told."""
    mine = Run.filter(repository_id=repository_id)
    if await mine.count() <= most + most // 10:
        return
    border = await mine.order_by("-id").offset(most).limit(1).values_list("id", flat=True)
    old = mine.filter(id__lte=border[0], judge_at=None).order_by("id").limit(10 * _AT_ONCE)
    rows = await old.values_list("id", "log_file")
    await Run.filter(id__in=[number for number, _ in rows]).delete()
    await remove(repository_id, [name for _, name in rows])


async def move_into_file(run_id: int) -> bool:
    """Move the log of a run that a former version kept in the database; whether there was one."""
    row = await Run.filter(id=run_id).exclude(log="").select_related("repository").first()
    if row is None:
        return False
    place = row.repository
    file = await off_loop(log_files.write, row.repository_id, row.log)
    values: dict[str, Any] = {"log": "", "log_file": file.name, "log_bytes": file.bytes}
    if row.judge_at is not None:
        claim = await off_loop(
            run_rules.claim, row.log, login=place.login, directory=place.directory
        )
        values["details"] = {**row.details, "claim": claim.value, "tail": last_lines(row.log)}
    if not await Run.filter(id=run_id, log_file=None).update(**values):
        await remove(row.repository_id, [file.name])
    return True


async def move_all_into_files() -> int:
    """Move what a former version kept in the database; goes on where it was stopped."""
    moved, last = 0, 0
    repositories: set[int] = set()
    while True:
        rows = Run.filter(id__gt=last).exclude(log="").order_by("id").limit(_AT_ONCE)
        found = await rows.values_list("id", "repository_id")
        if not found:
            break
        for run_id, repository_id in found:
            moved += await move_into_file(run_id)
            repositories.add(repository_id)
            last = run_id
    for repository_id in repositories:
        await keep_within_bounds(repository_id, last)
    return moved


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
            await _replace(row, None)
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
