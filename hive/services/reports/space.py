"""Room for the logs and runs of a repository: the oldest make place for the newest.

Those of the token that takes the most go first, so that one machine that sends too much pushes
out its own history and not that of the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from tortoise.functions import Count, Sum
from tortoise.queryset import QuerySet

from hive import memory
from hive.models import Run
from hive.off_loop import off_loop
from hive.services import runtime
from hive.services.reports import log_files, logs

_ROOM = 0.9  # share of a bound that is left filled, so that not every report makes room
_AT_ONCE = 50


@dataclass
class _Memory:
    making_room: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)


async def keep_within_bounds(repository_id: int, newest: int) -> None:
    """Shorten the oldest logs, then drop them, and forget the oldest runs that were judged.

    The log of the run `newest` stays whole, and at least the end of the newest of each token.
    """
    lock = memory.of(_Memory).making_room.setdefault(repository_id, asyncio.Lock())
    async with lock:
        bounds = runtime.settings().reports
        await _make_room(repository_id, bounds.repository_bytes, newest)
        await _forget_oldest(repository_id, bounds.runs_per_repository)


async def _make_room(repository_id: int, most: int, newest: int) -> None:
    taken = await _taken_by_token(repository_id)
    if sum(taken.values()) <= most:
        return
    excess = sum(taken.values()) - int(most * _ROOM)
    while excess > 0 and taken:
        heaviest = max(taken, key=lambda token: taken[token])
        freed = await _free_oldest(_of(repository_id, heaviest), excess, newest)
        excess -= freed
        taken[heaviest] -= freed
        if not freed:
            del taken[heaviest]  # nothing more to take


async def _taken_by_token(repository_id: int) -> dict[int | None, int]:
    """Bytes on the disk; of tokens that were revoked together, under None."""
    rows = Run.filter(repository_id=repository_id, log_bytes__gt=0)
    found = (
        await rows.annotate(taken=Sum("log_bytes")).group_by("token_id").values("token_id", "taken")
    )
    return {row["token_id"]: row["taken"] for row in found}


def _of(repository_id: int, token_id: int | None) -> QuerySet[Run]:
    return Run.filter(repository_id=repository_id, token_id=token_id)


async def _free_oldest(mine: QuerySet[Run], wanted: int, newest: int) -> int:
    """Shorten some of the oldest logs of a token, or drop some where all are short; bytes freed."""
    columns = ("id", "repository_id", "log", "log_file", "log_bytes")
    stored = mine.filter(log_bytes__gt=0).exclude(id=newest).only(*columns)
    last = await stored.order_by("-id").first()
    if last is None:
        return 0
    older = stored.filter(id__lt=last.id).order_by("id").limit(_AT_ONCE)
    act, rows = _shorten, await older.filter(log_bytes__gt=log_files.SHORT_FILE)
    if not rows:
        act, rows = _drop, await older
    if not rows and last.log_bytes > log_files.SHORT_FILE:
        act, rows = _shorten, [last]
    freed = 0
    for row in rows:
        if freed >= wanted:
            break
        freed += await act(row)
    return freed


async def _drop(row: Run) -> int:
    return await logs.replace_file(row, None)


async def _shorten(row: Run) -> int:
    text = (
        "... shortened to its end, to make room for newer logs (reports.repository_bytes) ...\n"
        + log_files.end_of(await logs.read(row), log_files.SHORT_TEXT)
    )
    short = await off_loop(logs.write, row.repository_id, text)
    return await logs.replace_file(row, short)


async def _forget_oldest(repository_id: int, most: int) -> None:
    """Runs that were judged are history; the others have not been reported yet."""
    mine = Run.filter(repository_id=repository_id)
    excess = await mine.count() - most
    if excess <= most // 10:
        return
    counted = (
        await mine.annotate(count=Count("id")).group_by("token_id").values("token_id", "count")
    )
    heaviest = max(counted, key=lambda row: row["count"])["token_id"]
    judged = _of(repository_id, heaviest).filter(judge_at=None)
    rows = await judged.order_by("id").limit(excess).values_list("id", "log_file")
    await Run.filter(id__in=[number for number, _ in rows]).delete()
    await logs.remove(repository_id, [name for _, name in rows])
