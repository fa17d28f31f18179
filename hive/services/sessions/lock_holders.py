"""Who holds the lock that a session did not get, in words for people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tortoise.expressions import Q

from hive.borg.locks import Lock, read_locks
from hive.kinds import Need
from hive.models import Session
from hive.sentences import say
from hive.services import runtime


async def words(
    path: Path, repository_id: int, session_id: int, processes: Mapping[int, int]
) -> str | None:
    """Who kept this session from the lock of the repository at `path`.

    `processes` are the sessions by the ids of their programs. None where nobody holds it now.
    """
    locks = await asyncio.to_thread(read_locks, path)
    locks.sort(key=lambda lock: not lock.is_exclusive)
    for lock in locks:
        if processes.get(lock.holder.pid) == session_id and _is_ours(lock):
            continue
        number = processes.get(lock.holder.pid) if _is_ours(lock) else None
        row = None if number is None else await Session.get_or_none(id=number)
        if row is not None:
            return _of_session(row, lock.since, is_exclusive=lock.is_exclusive)
        return _of_process(lock)
    return None


async def former(repository_id: int, session_id: int) -> str | None:
    """Who may have held it, of the sessions that ran meanwhile, and has let go of it since."""
    mine = await Session.get_or_none(id=session_id)
    if mine is None:
        return None
    others = Session.filter(repository_id=repository_id, need=Need.BORG).exclude(id=session_id)
    met = others.filter(Q(ended_at=None) | Q(ended_at__gte=mine.started_at))
    other = await met.order_by("only_reads", "id").first()
    return None if other is None else _of_session(other, None, is_exclusive=not other.only_reads)


def _is_ours(lock: Lock) -> bool:
    return lock.holder.host_id == runtime.host_id()


def _of_session(row: Session, since: datetime | None, *, is_exclusive: bool) -> str:
    began = since or row.started_at
    does = say("which may write") if is_exclusive else say("which only reads")
    return say(
        "It was held by session %(session)s (key %(key)s, from %(peer)s), "
        "%(does)s, since %(began)s.",
        session=row.id,
        key=row.key_name,
        peer=row.peer,
        does=does,
        began=began,
    )


def _of_process(lock: Lock) -> str:
    since = "" if lock.since is None else say(" since %(since)s", since=lock.since)
    if _is_ours(lock):
        return say(
            "It was held by this server's own borg (process %(pid)s)%(since)s.",
            pid=lock.holder.pid,
            since=since,
        )
    return say(
        "It was held by a borg on %(host)s (process %(pid)s)%(since)s.",
        host=lock.holder.host_id,
        pid=lock.holder.pid,
        since=since,
    )
