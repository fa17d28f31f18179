"""Sessions that begin although the database cannot write: recorded when it can again.

With its disk full and its ballast used up, the database still answers what a key may do. Who reads
or makes room is let in; what is known of the session waits here, in memory, for its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from hive import clock, log, memory
from hive.database import transactional
from hive.errors import AccessRefused, RefusalCause
from hive.kinds import Need
from hive.services.gate import admission as access
from hive.services.gate.admission import Admission, SessionRequest
from hive.services.gate.authentication import Identity

logger = log.get(__name__)

_MOST = 64


@dataclass(frozen=True)
class _Waiting:
    identity: Identity
    request: SessionRequest
    started_at: datetime


@dataclass
class _Memory:
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    waiting: dict[int, _Waiting] = field(default_factory=dict)  # by the number, not that of a row


async def admit(identity: Identity, request: SessionRequest) -> Admission:
    """Admit a session without a row; its number is negative."""
    if request.need == Need.IMPORT or len(memory.of(_Memory).waiting) >= _MOST:
        raise AccessRefused(
            "The disk of the server's database is full: only listing, restoring, deleting and"
            " compacting still work, a few at a time.",
            RefusalCause.UNAVAILABLE,
        )
    _, admission = await access.decided(identity, request)
    number = -next(memory.of(_Memory).numbers)
    memory.of(_Memory).waiting[number] = _Waiting(identity, request, clock.now())
    logger.error("a session begins that cannot be recorded yet", login=identity.login)
    return replace(admission, session_id=number)


async def record(number: int) -> int | None:
    """Write the row of such a session, and return its id; None where its key is gone."""
    waiting = memory.of(_Memory).waiting[number]
    try:
        recorded = await _record(waiting)
    except AccessRefused as refused:
        logger.error("a session is not recorded", reason=refused.message)
        recorded = None
    del memory.of(_Memory).waiting[number]
    return recorded


@transactional
async def _record(waiting: _Waiting) -> int:
    grant = await access.current_grant(waiting.identity, waiting.request.peer)
    return await access.open_session(grant, waiting.request, waiting.started_at)


async def objection(number: int) -> str | None:
    """Why the rules of now would not let it begin; None where they would."""
    waiting = memory.of(_Memory).waiting.get(number)
    if waiting is None:
        return None
    try:
        await access.current_grant(waiting.identity, waiting.request.peer, is_running=True)
    except AccessRefused as refused:
        return refused.message.rstrip(".")
    return None
