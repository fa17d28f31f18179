"""The sessions of the demo that run: what they have sent grows while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from hive import clock
from hive.models import Session
from hive.services.demo.rows import NODE
from hive.services.sessions import progress

_EVERY_SECONDS = 1.0
_BYTES_A_SECOND = 38 * 10**6
_ANSWERED = 40_000  # bytes that the server sent


async def show_progress(real: Callable[[], Iterable[tuple[int, int, int]]]) -> None:
    """Once a second, together with the counters of sessions that clients really run."""
    rows = await Session.filter(node=NODE, ended_at=None).values("id", "started_at")
    while True:
        made_up = [(row["id"], _sent_since(row["started_at"]), _ANSWERED) for row in rows]
        progress.view().update([*real(), *made_up])
        await asyncio.sleep(_EVERY_SECONDS)


def _sent_since(at: datetime) -> int:
    return int((clock.now() - at).total_seconds() * _BYTES_A_SECOND)
