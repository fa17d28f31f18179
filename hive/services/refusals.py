"""Why somebody was refused, and the event that tells of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hive import clock
from hive.database import transactional
from hive.errors import RefusalCause
from hive.kinds import EventKind
from hive.models import Event, Grant, Key, Repository
from hive.services import events
from hive.services.logins import problem_of

_PAUSE = timedelta(minutes=1)  # between two events of one cause


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


@transactional
async def record(
    repository_id: int,
    cause: RefusalCause,
    message: str,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    """Write an event "refused", at most one a minute for one cause on one repository."""
    since = clock.now() - _PAUSE
    recent = await Event.filter(repository_id=repository_id, kind=EventKind.REFUSED, at__gt=since)
    if any(event.details.get("cause") == cause for event in recent):
        return
    await events.record(repository_id, EventKind.REFUSED, message, cause=cause, **details)
