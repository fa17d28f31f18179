"""One repository on its page: everything about it that the actor may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tortoise.functions import Max

from hive import clock, log
from hive.errors import StorageError
from hive.kinds import Access, Level
from hive.models import Grant, Repository, Session
from hive.services.gate import host_keys
from hive.services.health import infos as health_info
from hive.services.health.infos import HealthInfo
from hive.services.health.states import Condition
from hive.services.overview import rows
from hive.services.permissions import Actor, repository_for
from hive.services.repositories import infos as repository_infos
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions.infos import SessionInfo
from hive.services.storage import locations

logger = log.get(__name__)


@dataclass(frozen=True)
class KeyOnRepository:
    """A key that opens the repository, as anybody who sees the repository may know it."""

    id: int
    name: str
    owner: str
    type: str
    fingerprint: str
    access: Access
    enabled: bool
    owner_enabled: bool
    is_owner_disabled: bool
    is_expired: bool
    expires_at: datetime | None
    networks: tuple[str, ...]
    last_used_here_at: datetime | None

    @property
    def is_usable(self) -> bool:
        """Whether it is let in, from somewhere."""
        return self.enabled and self.owner_enabled and not self.is_expired


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
    host_identities: tuple[HostIdentity, ...]  # empty if they are not known just now


async def find_details(actor: Actor, repository_id: int) -> Details:
    """What the page of one repository shows; NotFound unless the actor may see it."""
    row = await repository_for(actor, repository_id, Level.VIEW, deleted=True)
    last = (await rows.last_sessions([row.id])).get(row.id)
    health = await health_info.health_info(actor, row.id)
    host, port = locations.host_of(row.location), locations.port_of(row.location)
    return Details(
        # of the same row: a second read could tell of another moment
        repository=await repository_infos.info_of(row),
        host=host,
        port=port,
        condition=rows.condition(row, health),
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
            id=grant.key_id,
            name=grant.key.name,
            owner=grant.key.owner.name,
            type=grant.key.type,
            fingerprint=grant.key.fingerprint,
            access=grant.access,
            enabled=grant.key.enabled,
            owner_enabled=grant.key.owner.keys_enabled,
            is_owner_disabled=grant.key.owner.is_disabled,
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
