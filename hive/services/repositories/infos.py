"""What may be shown of repositories: the whole of one, or of many in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hive.kinds import Access, Mode, RepositoryState
from hive.models import Grant, Location, Repository, RepositoryShare
from hive.sentences import Sentence, say
from hive.services.clock import last_backups
from hive.services.installation import presence
from hive.services.shares import GroupShare
from hive.services.storage import locations, paths


@dataclass(frozen=True)
class KeyAccess:
    key_id: int
    fingerprint: str
    name: str
    access: Access


@dataclass(frozen=True, kw_only=True)
class RepositoryInfo:
    id: int
    name: str
    directory: str
    login: str
    owner: str
    groups: tuple[GroupShare, ...]
    location: str
    mode: Mode
    path: Path
    url: str
    keys: tuple[KeyAccess, ...]
    quota_bytes: int | None
    size_bytes: int | None
    state: RepositoryState
    maintenance: str | None
    last_backup_at: datetime | None
    last_backup_is_estimated: bool
    maybe_backup_at: datetime | None  # written on the server since then, and not proven
    last_access_at: datetime | None
    created_at: datetime
    initialized_at: datetime | None  # when its content was created, or brought
    deleted_at: datetime | None
    strict_paths: bool
    is_away: bool  # its whole storage is not available
    vanished_at: datetime | None  # when its content was found gone, until somebody confirms it


def url(location: Location, login: str, directory: str) -> str:
    """The URL for borg: ssh://LOGIN@HOST[:PORT]/./NAME, as clients see host and port."""
    host, port = locations.host_of(location), locations.port_of(location)
    shown = f"[{host}]" if ":" in host else host
    shown_port = "" if port == 22 else f":{port}"
    return f"ssh://{login}@{shown}{shown_port}/./{directory}"


def borg2_url(url: str) -> str:
    """The same URL as borg 2 wants it."""
    return f"rest://{url.removeprefix('ssh://')}"


def place_of(repository: Repository) -> paths.Place:
    """Where it lies on disk; `location` must have been fetched."""
    return paths.place(repository.location, repository.login, repository.directory)


async def info_of(repository: Repository) -> RepositoryInfo:
    return (await infos_of([repository]))[0]


async def infos_of(rows: Sequence[Repository]) -> list[RepositoryInfo]:
    """In their order; in as many queries as for one."""
    if not rows:
        return []
    await Repository.fetch_for_list(list(rows), "owner", "location")
    ids = [row.id for row in rows]
    shares: dict[int, list[GroupShare]] = {one: [] for one in ids}
    for share in await RepositoryShare.filter(repository_id__in=ids).select_related("group"):
        shares[share.repository_id].append(GroupShare(share.group.name, share.level))
    keys: dict[int, list[KeyAccess]] = {one: [] for one in ids}
    for grant in await Grant.filter(repository_id__in=ids).select_related("key"):
        key = KeyAccess(grant.key_id, grant.key.fingerprint, grant.key.name, grant.access)
        keys[grant.repository_id].append(key)
    return [_info(row, shares[row.id], keys[row.id]) for row in rows]


def _info(
    repository: Repository, shares: Sequence[GroupShare], keys: Sequence[KeyAccess]
) -> RepositoryInfo:
    place = place_of(repository)
    address = url(repository.location, repository.login, repository.directory)
    return RepositoryInfo(
        id=repository.id,
        name=repository.name,
        directory=repository.directory,
        login=repository.login,
        owner=repository.owner.name,
        groups=tuple(shares),
        location=repository.location.name,
        mode=repository.mode,
        path=place.repository,
        url=borg2_url(address) if _is_borg2(place) else address,
        keys=tuple(keys),
        quota_bytes=repository.quota_bytes,
        size_bytes=repository.size_bytes,
        state=state_of(repository),
        maintenance=repository.maintenance,
        last_backup_at=last_backups.known(repository),
        last_backup_is_estimated=repository.last_backup_is_estimated,
        maybe_backup_at=maybe_backup_at(repository),
        last_access_at=repository.last_access_at,
        created_at=repository.created_at,
        initialized_at=repository.initialized_at,
        deleted_at=repository.deleted_at,
        strict_paths=repository.strict_paths,
        is_away=presence.is_away(place.root),
        vanished_at=repository.vanished_at,
    )


def _is_borg2(place: paths.Place) -> bool:
    return not presence.is_away(place.root) and place.is_borg2


def maybe_backup_at(repository: Repository) -> datetime | None:
    """When something was written on the server that may have been a later backup than the last."""
    maybe, last = repository.maybe_backup_at, repository.last_backup_at
    return None if maybe is None or (last is not None and last >= maybe) else maybe


def state_of(repository: Repository) -> RepositoryState:
    if repository.deleted_at is not None:
        return RepositoryState.DELETED
    if repository.initialized_at is None:
        return RepositoryState.NEW
    return RepositoryState.READY


def state_in_words(info: RepositoryInfo) -> str:
    """One short sentence on the repository's state, for the status command and the pages."""
    if presence.is_away(info.path):
        return say("unknown: its storage is not available")
    if info.maintenance:
        return say("busy: %(maintenance)s", maintenance=Sentence(info.maintenance))
    if info.state == RepositoryState.NEW:
        return say("not created yet: run borg init")
    return say("ready")
