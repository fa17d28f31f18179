"""Why somebody was refused, and the event that tells of it."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hive import addresses, clock, memory
from hive.database import transactional
from hive.errors import RefusalCause
from hive.kinds import EventKind
from hive.models import Alarm, Event, Grant, Key, Repository
from hive.services import events, runtime
from hive.services.alarms import alarms
from hive.services.gate.authentication import problem_of

_PAUSE = timedelta(minutes=1)  # between two events of one cause
_HOUR = timedelta(hours=1)

_MAX_TURNED_AWAY = 1_000


@dataclass
class _Memory:
    # Every refusal of the last hour, by repository; events are fewer than those.
    lately: dict[int, deque[datetime]] = field(default_factory=dict)
    # When a client that named a repository's login was turned away, by repository and address.
    turned_away: OrderedDict[tuple[int, str], datetime] = field(default_factory=OrderedDict)


async def explain(login: str, fingerprint: str, address: str) -> tuple[RefusalCause, int | None]:
    """Why `logins.authenticate` found nothing, and the repository's id where the login exists."""
    repository = await Repository.get_or_none(login=login, deleted_at=None)
    if repository is None:
        return RefusalCause.UNKNOWN_LOGIN, None
    grant = (
        await Grant.filter(repository_id=repository.id, key__fingerprint=fingerprint)
        .select_related("key__owner")
        .first()
    )
    if grant is None:
        known = await Key.filter(fingerprint=fingerprint).exists()
        cause = RefusalCause.KEY_NOT_GRANTED if known else RefusalCause.UNKNOWN_KEY
        return cause, repository.id
    return problem_of(grant.key, address) or RefusalCause.UNKNOWN_KEY, repository.id


async def note_turned_away(login: str, peer: str, reason: str) -> None:
    """Record for the owner that a client did not get in, once an hour for each address."""
    repository = await Repository.get_or_none(login=login, deleted_at=None)
    if repository is None:
        return
    key = (repository.id, addresses.limit_group(peer))
    now, turned_away = clock.now(), memory.of(_Memory).turned_away
    if key in turned_away and now - turned_away[key] < _HOUR:
        return
    turned_away[key] = now
    turned_away.move_to_end(key)
    while len(turned_away) > _MAX_TURNED_AWAY:
        turned_away.popitem(last=False)
    message = f"A client at {peer} did not log in and was turned away: {reason}"
    await record(repository.id, RefusalCause.LIMIT, message, peer=peer)


@transactional
async def record(
    repository_id: int,
    cause: RefusalCause,
    message: str,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """Write an event "refused", at most one a minute for one cause on one repository."""
    if cause != RefusalCause.UNAVAILABLE:  # the server's own fault, of which there is an alarm
        await _count(repository_id)
    since = clock.now() - _PAUSE
    recent = await Event.filter(repository_id=repository_id, kind=EventKind.REFUSED, at__gt=since)
    if any(event.details.get("cause") == cause for event in recent):
        return
    await events.record(repository_id, EventKind.REFUSED, message, cause=cause, **details)


async def _count(repository_id: int) -> None:
    """Tell once that there are many; until an hour has passed without."""
    now, most = clock.now(), runtime.settings().alarms.refusals_per_hour
    times = memory.of(_Memory).lately.setdefault(repository_id, deque(maxlen=most))
    times.append(now)
    if len(times) == most and now - times[0] <= _HOUR:
        await alarms.begin(
            repository_id,
            EventKind.REFUSED_OFTEN,
            f"{most} logins or commands were refused within an hour.",
            refusals=most,
        )


async def end_quiet() -> int:
    """Forget what is older than an hour, and tell where no more came; a job calls it."""
    before, ended, lately = clock.now() - _HOUR, 0, memory.of(_Memory).lately
    for repository_id in [key for key, times in lately.items() if times[-1] < before]:
        del lately[repository_id]
    rows = await Alarm.filter(kind=EventKind.REFUSED_OFTEN).exclude(repository_id=None)
    for row in rows:
        if row.repository_id is not None and row.repository_id not in lately:
            words = "For an hour nothing was refused."
            ended += await alarms.end(row.repository_id, EventKind.REFUSED_OFTEN, words)
    return ended
