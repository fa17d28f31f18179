"""What the pages show of repositories: in a few queries, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tortoise.functions import Max

from hive import clock, log
from hive.errors import NotFound, StorageError
from hive.kinds import Access, EndReason, Mode, Need, RepositoryState
from hive.models import Grant, Repository, Session
from hive.services import host_keys, locations, repositories, sessions
from hive.services.permissions import Actor, visible_repositories
from hive.services.repositories import RepositoryInfo
from hive.services.sessions import SessionInfo

logger = log.get(__name__)


class Condition(StrEnum):
    """How a repository is, in the order of how much it wants to be looked at."""

    FAILED = "failed"  # the last session did not end well
    IN_USE = "in use"
    BUSY = "busy"
    NEW = "new"
    READY = "ready"
    DELETED = "deleted"


@dataclass(frozen=True)
class Glance:
    """One repository in the list of all."""

    id: int
    name: str
    login: str
    owner: str
    mode: Mode
    condition: Condition
    maintenance: str | None
    size_bytes: int | None
    quota_bytes: int | None
    last_session: SessionInfo | None
    created_at: datetime


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
    last_session: SessionInfo | None
    keys: tuple[KeyOnRepository, ...]
    host_identities: tuple[HostIdentity, ...]  # empty where they cannot be told just now


def condition_of(
    state: RepositoryState, maintenance: str | None, last: SessionInfo | None
) -> Condition:
    if state == RepositoryState.DELETED:
        return Condition.DELETED
    if maintenance:
        return Condition.BUSY
    if last is not None and last.ended_at is None:
        return Condition.IN_USE
    if last is not None and not ended_well(last):
        return Condition.FAILED
    return Condition.NEW if state == RepositoryState.NEW else Condition.READY


def ended_well(session: SessionInfo) -> bool:
    return session.end_reason == EndReason.DONE and session.exit_status in (None, 0)


async def glances(actor: Actor) -> list[Glance]:
    """The repositories that the actor may see, what wants to be looked at first."""
    rows = await Repository.filter(
        await visible_repositories(actor), deleted_at=None
    ).select_related("owner")
    last = await _last_sessions([row.id for row in rows])
    found = [_glance(row, last.get(row.id)) for row in rows]
    order = list(Condition)
    return sorted(found, key=lambda one: (order.index(one.condition), one.name.lower(), one.id))


def _glance(row: Repository, last: SessionInfo | None) -> Glance:
    return Glance(
        id=row.id,
        name=row.name,
        login=row.login,
        owner=row.owner.name,
        mode=row.mode,
        condition=condition_of(repositories.state_of(row), row.maintenance, last),
        maintenance=row.maintenance,
        size_bytes=row.size_bytes,
        quota_bytes=row.quota_bytes,
        last_session=last,
        created_at=row.created_at,
    )


async def _last_sessions(repository_ids: Iterable[int]) -> dict[int, SessionInfo]:
    """The one that runs, else the newest, of each repository; a look at the status is none."""
    ours = Session.filter(repository_id__in=list(repository_ids))
    # Without a condition on `need` the index alone answers this, however long the history is.
    newest = await ours.annotate(newest=Max("id")).group_by("repository_id").values("newest")
    rows = await Session.filter(id__in=[row["newest"] for row in newest])
    found: dict[int, Session] = {}
    for row in rows:
        real = row if row.need != Need.STATUS else await _newest_real_session(row.repository_id)
        if real is not None:
            found[row.repository_id] = real
    # A later session may have come and gone while a long one still runs.
    for row in await ours.filter(ended_at=None).exclude(need=Need.STATUS).order_by("id"):
        found[row.repository_id] = row
    await Session.fetch_for_list(list(found.values()), "repository")
    return {repository_id: sessions.info_of(row) for repository_id, row in found.items()}


async def _newest_real_session(repository_id: int) -> Session | None:
    real = Session.filter(repository_id=repository_id).exclude(need=Need.STATUS)
    return await real.order_by("-started_at", "-id").first()


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
    host, port = locations.host_of(row.location), locations.port_of(row.location)
    return Details(
        repository=await repositories.find_repository_by_id(actor, row.id),
        host=host,
        port=port,
        condition=condition_of(repositories.state_of(row), row.maintenance, last),
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
