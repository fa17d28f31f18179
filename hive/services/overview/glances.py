"""What the pages show of repositories: in a few queries, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.functions import Max

from hive import clock, log
from hive.borg.encryption import Encryption
from hive.errors import NotFound, StorageError
from hive.kinds import Access, EndReason, Mode
from hive.models import Grant, Inspection, Repository, Session
from hive.services.clock import last_backups
from hive.services.gate import host_keys
from hive.services.health import infos as health_info
from hive.services.health.infos import HealthInfo
from hive.services.health.states import Condition, condition_of
from hive.services.measurements import trends
from hive.services.measurements.trends import Trend
from hive.services.permissions import Actor, visible_repositories
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import locks
from hive.services.repositories.infos import RepositoryInfo, place_of
from hive.services.sessions import latest
from hive.services.sessions import progress as live
from hive.services.sessions import record as sessions
from hive.services.sessions.record import SessionInfo
from hive.services.storage import locations

logger = log.get(__name__)


@dataclass(frozen=True)
class Glance:
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
    week_change: int | None
    trend: Trend
    encryption: Encryption
    has_append_only_keys: bool
    is_locked: bool  # though no session runs
    created_at: datetime

    @property
    def is_running(self) -> bool:
        return self.last_session is not None and self.last_session.ended_at is None

    @property
    def has_failed(self) -> bool:
        """Whether the last session ended, and not well."""
        last = self.last_session
        return last is not None and last.ended_at is not None and not ended_well(last)


@dataclass(frozen=True)
class KeyOnRepository:
    """A key that opens the repository, as anybody who sees the repository may know it."""

    name: str
    owner: str
    type: str
    fingerprint: str
    access: Access
    enabled: bool
    owner_enabled: bool
    is_expired: bool
    expires_at: datetime | None
    networks: tuple[str, ...]
    last_used_here_at: datetime | None


@dataclass(frozen=True)
class HostIdentity:
    """One host key, for people to compare and for their known_hosts."""

    type: str
    fingerprint: str
    known_hosts_line: str


@dataclass(frozen=True)
class Details:
    """One repository on its own page."""

    repository: RepositoryInfo
    host: str
    port: int
    condition: Condition
    health: HealthInfo
    last_session: SessionInfo | None
    keys: tuple[KeyOnRepository, ...]
    host_identities: tuple[HostIdentity, ...]  # empty where they cannot be told just now


def ended_well(session: SessionInfo) -> bool:
    return session.end_reason == EndReason.DONE and session.exit_status in (None, 0)


async def glances(actor: Actor, repository_ids: Sequence[int]) -> list[Glance]:
    """These repositories, as far as the actor may see them, in the order of their ids given."""
    rows = await Repository.filter(
        await visible_repositories(actor), deleted_at=None, id__in=list(repository_ids)
    ).select_related("owner", "location")
    ids = [row.id for row in rows]
    known = _Known(
        health=await health_info.health_infos(actor, ids),
        sessions=await _last_sessions(ids),
        trends=await trends.trends(ids),
        encryption=await _encryption(ids),
        append_only=await _with_append_only_keys(ids),
        locked=await asyncio.to_thread(_locked, rows),
        progress={one.session_id: one.bytes_in for one in live.view().running},
    )
    found = {row.id: _glance(row, known) for row in rows if row.id in known.health}
    return [found[one] for one in repository_ids if one in found]


def _condition(row: Repository, health: HealthInfo) -> Condition:
    return condition_of(
        health.state,
        row.maintenance,
        is_running=health.is_running,
        is_deleted=row.deleted_at is not None,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of all repositories of a list."""

    health: dict[int, HealthInfo]
    sessions: dict[int, SessionInfo]
    trends: dict[int, Trend]
    encryption: dict[int, Encryption]
    append_only: set[int]
    locked: set[int]
    progress: dict[int, int]


def _glance(row: Repository, known: _Known) -> Glance:
    last, trend = known.sessions.get(row.id), known.trends[row.id]
    is_running = last is not None and last.ended_at is None
    health = known.health[row.id]
    last_backup_at = last_backups.known(row)
    return Glance(
        id=row.id,
        name=row.name,
        login=row.login,
        owner=row.owner.name,
        location_id=row.location_id,
        mode=row.mode,
        condition=_condition(row, health),
        health=health,
        maintenance=row.maintenance,
        size_bytes=row.size_bytes,
        quota_bytes=row.quota_bytes,
        last_session=last,
        last_backup_at=last_backup_at,
        last_backup_is_estimated=row.last_backup_is_estimated,
        last_backup_took=trend.took(last_backup_at),
        bytes_in=known.progress.get(last.id) if last is not None else None,
        week_change=trend.week_change,
        trend=trend,
        encryption=known.encryption.get(row.id, Encryption.UNKNOWN),
        has_append_only_keys=row.id in known.append_only,
        is_locked=row.id in known.locked and not is_running,
        created_at=row.created_at,
    )


async def _encryption(ids: list[int]) -> dict[int, Encryption]:
    rows = await Inspection.filter(repository_id__in=ids).values("repository_id", "encryption")
    return {row["repository_id"]: _encryption_of(row["encryption"]) for row in rows}


def _encryption_of(stored: str | None) -> Encryption:
    try:
        return Encryption(stored or Encryption.UNKNOWN)
    except ValueError:
        return Encryption.UNKNOWN


async def _with_append_only_keys(ids: list[int]) -> set[int]:
    grants = Grant.filter(repository_id__in=ids, access=Access.APPEND_ONLY)
    return {row["repository_id"] for row in await grants.values("repository_id")}


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


async def _last_sessions(repository_ids: Sequence[int]) -> dict[int, SessionInfo]:
    ids = await latest.ids(repository_ids)
    rows = await Session.filter(id__in=list(ids.values())).select_related("repository")
    return {row.repository_id: sessions.info_of(row) for row in rows}


async def details(actor: Actor, repository_id: int) -> Details:
    """What the page of one repository shows; NotFound unless the actor may see it."""
    visible = await visible_repositories(actor)
    row = (
        await Repository.filter(visible, id=repository_id)
        .select_related("owner", "location")
        .first()
    )
    if row is None:
        raise NotFound("There is no such repository.")
    last = (await _last_sessions([row.id])).get(row.id)
    health = await health_info.health_info(actor, row.id)
    host, port = locations.host_of(row.location), locations.port_of(row.location)
    return Details(
        # of the same row: a second read could tell of another moment
        repository=await repository_infos.info_of(row),
        host=host,
        port=port,
        condition=_condition(row, health),
        health=health,
        last_session=last,
        keys=tuple(await _keys(row)),
        host_identities=await _identities(host, port),
    )


async def _keys(repository: Repository) -> list[KeyOnRepository]:
    grants = await Grant.filter(repository_id=repository.id).select_related("key__owner")
    used = (
        await Session.filter(repository_id=repository.id)
        .annotate(used_at=Max("started_at"))
        .group_by("key_id")
        .values("key_id", "used_at")
    )
    # Where else the key is used, and when, is not for everybody who sees this repository.
    used_at = {row["key_id"]: row["used_at"] for row in used}
    return [
        KeyOnRepository(
            name=grant.key.name,
            owner=grant.key.owner.name,
            type=grant.key.type,
            fingerprint=grant.key.fingerprint,
            access=grant.access,
            enabled=grant.key.enabled,
            owner_enabled=grant.key.owner.enabled,
            is_expired=grant.key.expires_at is not None and grant.key.expires_at <= clock.now(),
            expires_at=grant.key.expires_at,
            networks=tuple(grant.key.networks),
            last_used_here_at=used_at.get(grant.key_id),
        )
        for grant in sorted(grants, key=lambda one: (one.key.name.lower(), one.id))
    ]


async def _identities(host: str, port: int) -> tuple[HostIdentity, ...]:
    try:
        keys = await host_keys.public_keys()
    except StorageError as error:
        # The page is worth seeing all the same; the message names paths and is for the log.
        logger.warning("host keys cannot be shown", error=error.message)
        return ()
    lines = host_keys.known_hosts_lines(host, port, keys)
    return tuple(
        HostIdentity(key.type, key.fingerprint, line) for key, line in zip(keys, lines, strict=True)
    )
