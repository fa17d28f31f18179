"""What people see of sessions, of the repositories that they may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hive.borg.observed import Observed
from hive.errors import NotFound
from hive.kinds import Access, ArchiveCreated, EndReason, Level, Mode, Need, Operation
from hive.models import Session
from hive.services.permissions import Actor, of_visible_repositories, require
from hive.services.sessions import filters
from hive.services.sessions.filters import SessionState


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    id: int
    repository_id: int
    repository: str
    login: str
    key: str
    key_fingerprint: str
    peer: str
    client: str | None
    borg_version: str | None
    command: str
    need: Need
    mode: Mode
    access: Access
    operation: str | None
    started_at: datetime
    ended_at: datetime | None
    bytes_in: int | None
    bytes_out: int | None
    exit_status: int | None
    end_reason: EndReason | None
    archive_created: ArchiveCreated | None = None
    bytes_added: int | None = None
    bytes_removed: int | None = None
    bytes_freed: int | None = None
    reclaimable_bytes: int | None = None
    error: str | None = None
    objects_added: int | None = None
    objects_removed: int | None = None

    @property
    def state(self) -> SessionState:
        """LIVE, or how it ended: WELL or BADLY."""
        return filters.state_of(self.ended_at, self.end_reason, self.exit_status)


async def list_sessions(
    actor: Actor,
    *,
    repository_id: int | None = None,
    state: SessionState | None = None,
    operation: Operation | None = None,
    key: str | None = None,
    limit: int = 100,
    before_id: int | None = None,
) -> list[SessionInfo]:
    """The newest sessions first, of the repositories that the actor may see.

    `key` is a fingerprint, or a name as the session has kept it.
    """
    query = Session.filter(await of_visible_repositories(actor))
    if repository_id is not None:
        query = query.filter(repository_id=repository_id)
    if state is not None:
        query = query.filter(filters.in_state(state))
    if operation is not None:
        query = query.filter(operation=str(operation))
    if key is not None:
        query = query.filter(filters.by_key(key))
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    rows = await query.order_by("-id").limit(limit).select_related("repository")
    return [info_of(row) for row in rows]


async def get_session(actor: Actor, session_id: int) -> SessionInfo:
    session = await visible_session(actor, session_id)
    return info_of(session)


async def visible_session(actor: Actor, session_id: int) -> Session:
    """The row itself, for other services; its repository is fetched."""
    session = await Session.filter(id=session_id).select_related("repository").first()
    if session is None:
        raise NotFound("There is no session %(session_id)s.", session_id=session_id)
    try:
        await require(actor, session.repository, Level.VIEW)
    except NotFound:
        raise NotFound("There is no session %(session_id)s.", session_id=session_id) from None
    return session


def info_of(row: Session) -> SessionInfo:
    """What may be shown of the row; its repository must have been fetched."""
    objects_added, objects_removed = _objects(row)
    return SessionInfo(
        id=row.id,
        repository_id=row.repository_id,
        repository=row.repository.name,
        login=row.login,
        key=row.key_name,
        key_fingerprint=row.key_fingerprint,
        peer=row.peer,
        client=row.client,
        borg_version=row.borg_version,
        command=row.command,
        need=row.need,
        mode=row.mode,
        access=row.access,
        operation=row.operation,
        started_at=row.started_at,
        ended_at=row.ended_at,
        bytes_in=row.bytes_in,
        bytes_out=row.bytes_out,
        exit_status=row.exit_status,
        end_reason=row.end_reason,
        archive_created=row.archive_created,
        bytes_added=row.bytes_added,
        bytes_removed=row.bytes_removed,
        bytes_freed=row.bytes_freed,
        reclaimable_bytes=row.reclaimable_bytes,
        error=row.error,
        objects_added=objects_added,
        objects_removed=objects_removed,
    )


def _objects(row: Session) -> tuple[int | None, int | None]:
    """How many objects were put and deleted in what was committed; the manifest does not count."""
    observed = Observed.of(row.observed)
    if observed is None or observed.committed is None:
        return None, None
    return observed.committed.puts, observed.committed.deletes
