"""What the pages show of repositories: in a few queries, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from hive import log, long_work, sql
from hive.borg.encryption import Encryption
from hive.errors import StorageError
from hive.kinds import Mode
from hive.long_work import WorkInfo
from hive.models import Inspection, Repository, Session
from hive.services.clock import last_backups
from hive.services.health import infos as health_info
from hive.services.health import proposals, strips
from hive.services.health.infos import HealthInfo
from hive.services.health.states import Condition, condition_of
from hive.services.health.strips import Strip
from hive.services.measurements import trends
from hive.services.overview.listing import NEARLY_FULL
from hive.services.permissions import Actor, not_deleted, visible_repositories
from hive.services.repositories import locks
from hive.services.repositories.infos import place_of
from hive.services.sessions import infos as session_infos
from hive.services.sessions import latest
from hive.services.sessions import progress as live
from hive.services.sessions.filters import SessionState
from hive.services.sessions.infos import SessionInfo
from hive.signals import SessionProgress

logger = log.get(__name__)


@dataclass(frozen=True)
class Row:
    """One repository in the list of all."""

    id: int
    name: str
    login: str
    owner: str
    location_id: int
    mode: Mode
    condition: Condition
    health: HealthInfo
    maintenance: str | None
    size_bytes: int | None
    quota_bytes: int | None
    last_session: SessionInfo | None
    last_backup_at: datetime | None
    last_backup_is_estimated: bool
    last_backup_took: timedelta | None
    bytes_in: int | None  # of the session that runs, so far
    bytes_per_second: int | None  # of that session, both directions together
    week_change: int | None
    strip: Strip
    proposal: timedelta | None  # how often to expect backups, where nobody has said so
    encryption: Encryption
    is_locked: bool  # though no session runs
    work: WorkInfo | None  # why it is busy, as far as this process counts it
    created_at: datetime

    @property
    def quota_percent(self) -> int | None:
        """How much of the quota is used; None where there is none."""
        if not self.quota_bytes:
            return None
        return 100 * (self.size_bytes or 0) // self.quota_bytes

    @property
    def is_nearly_full(self) -> bool:
        return (self.quota_percent or 0) >= NEARLY_FULL

    @property
    def is_in_use(self) -> bool:
        """Whether a session is open, whatever it does."""
        return self.last_session is not None and self.last_session.state == SessionState.LIVE

    @property
    def has_failed(self) -> bool:
        """Whether the last session ended, and not well."""
        return self.last_session is not None and self.last_session.state == SessionState.BADLY


async def rows_of(
    actor: Actor,
    repository_ids: Sequence[int],
    zone: tzinfo | None = None,
    days: int = strips.LIST,
) -> list[Row]:
    """These repositories, as far as the actor may see them, in the order of their ids given.

    With a strip of so many days, which are those of a time zone (None: UTC).
    """
    rows = await Repository.filter(
        await visible_repositories(actor), not_deleted(), id__in=sql.ids(repository_ids)
    ).select_related("owner", "location")
    ids = [row.id for row in rows]
    health = await health_info.of_rows(rows)
    created = {row.id: row.created_at for row in rows}
    known = _Known(
        health=health,
        sessions=await last_sessions(ids, rows),
        strips=await strips.strips(health.values(), zone, days, created),
        changes=await trends.week_changes(ids),
        took=await trends.took(rows),
        proposals=await proposals.observed_of(rows),
        encryption=await _encryption(ids),
        locked=await asyncio.to_thread(_locked, rows),
        progress={one.session_id: one for one in live.view().running},
    )
    found = {row.id: _row(row, known) for row in rows if row.id in known.health}
    return [found[one] for one in repository_ids if one in found]


def condition(row: Repository, health: HealthInfo) -> Condition:
    """What is shown of a repository in this health."""
    return condition_of(
        health.state,
        row.maintenance,
        is_backing_up=health.is_backing_up,
        is_deleted=row.deleted_at is not None,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of all repositories of a list."""

    health: dict[int, HealthInfo]
    sessions: dict[int, SessionInfo]
    strips: dict[int, Strip]
    changes: dict[int, int]
    took: dict[int, timedelta]
    proposals: dict[int, timedelta]
    encryption: dict[int, Encryption]
    locked: set[int]
    progress: dict[int, SessionProgress]


def _row(row: Repository, known: _Known) -> Row:
    last = known.sessions.get(row.id)
    running = known.progress.get(last.id) if last is not None else None
    is_in_use = last is not None and last.state == SessionState.LIVE
    health = known.health[row.id]
    last_backup_at = last_backups.known(row)
    return Row(
        id=row.id,
        name=row.name,
        login=row.login,
        owner=row.owner.name,
        location_id=row.location_id,
        mode=row.mode,
        condition=condition(row, health),
        health=health,
        maintenance=row.maintenance,
        size_bytes=row.size_bytes,
        quota_bytes=row.quota_bytes,
        last_session=last,
        last_backup_at=last_backup_at,
        last_backup_is_estimated=row.last_backup_is_estimated,
        last_backup_took=known.took.get(row.id),
        bytes_in=running.bytes_in if running is not None else None,
        bytes_per_second=running.bytes_per_second if running is not None else None,
        week_change=known.changes.get(row.id),
        strip=known.strips.get(row.id, Strip()),
        proposal=known.proposals.get(row.id),
        encryption=known.encryption.get(row.id, Encryption.UNKNOWN),
        is_locked=row.id in known.locked and not is_in_use,
        work=next(iter(long_work.of(row.id)), None) if row.maintenance else None,
        created_at=row.created_at,
    )


async def _encryption(ids: list[int]) -> dict[int, Encryption]:
    rows = await Inspection.filter(repository_id__in=sql.ids(ids)).values(
        "repository_id", "encryption"
    )
    return {row["repository_id"]: _encryption_of(row["encryption"]) for row in rows}


def _encryption_of(stored: str | None) -> Encryption:
    try:
        return Encryption(stored or Encryption.UNKNOWN)
    except ValueError:
        return Encryption.UNKNOWN


def _locked(rows: Sequence[Repository]) -> set[int]:
    """The repositories that have a lock. Blocking."""
    found = set()
    for row in rows:
        try:
            if locks.look(place_of(row).repository):
                found.add(row.id)
        except (OSError, StorageError) as error:
            logger.warning("locks cannot be read", repository=row.id, reason=str(error))
    return found


async def last_sessions(
    repository_ids: Sequence[int], repositories: Sequence[Repository] = ()
) -> dict[int, SessionInfo]:
    """The session of each that runs, else the newest; a look at the status is none.

    `repositories`: those that are read already.
    """
    ids = await latest.ids(repository_ids)
    rows = Session.filter(id__in=sql.ids(ids.values()))
    known = {row.id: row for row in repositories}
    found = {}
    for row in await (rows if repositories else rows.select_related("repository")):
        if repositories:
            row.repository = known[row.repository_id]
        found[row.repository_id] = session_infos.info_of(row)
    return found
