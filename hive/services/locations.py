"""Locations: named places for repositories."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tortoise.functions import Count

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, InvalidInput, NotFound, StorageError
from hive.models import Location, Repository
from hive.services import audit, disks, names, references, runtime, storage
from hive.services.permissions import Actor, require_admin

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)


@dataclass(frozen=True)
class LocationInfo:
    id: int
    name: str
    host: str
    port: int
    root: Path
    is_default: bool
    repositories: int
    free_bytes: int | None
    created_at: datetime


def host_of(location: Location) -> str:
    """The host as clients see it."""
    return location.host or runtime.node()


def port_of(location: Location) -> int:
    return location.port or runtime.ssh_port()


async def list_locations(_actor: Actor) -> list[LocationInfo]:
    """All locations: everybody may choose one."""
    rows = await Location.all().order_by("name")
    counts = await _counts()
    return [_info(row, counts.get(row.id, 0)) for row in rows]


async def find_location(_actor: Actor, reference: str) -> LocationInfo:
    """The location of this name or id; everybody may see it."""
    return await _info_of(await get_location(reference))


async def find_location_by_id(_actor: Actor, location_id: int) -> LocationInfo:
    return await _info_of(await _get(location_id))


async def get_location(reference: str | None) -> Location:
    """The row itself, for other services; the default location for None."""
    if reference is None:
        location = await Location.filter(is_default=True).first()
        if location is None:
            raise NotFound("There is no default location: `hive location set NAME --default`.")
        return location
    location = await references.location(reference)
    if location is None:
        raise NotFound(f"There is no location {reference!r}.")
    return location


async def add_location(
    actor: Actor, name: str, *, host: str, port: int | None = None, root: Path | None = None
) -> LocationInfo:
    require_admin(actor)
    names.check_account(name, "location")
    _check_host(host)
    _check_port(port)
    if root is not None:
        _check_root(root)
    return await _create(actor, name, host, port, root)


@transactional
async def _create(
    actor: Actor, name: str, host: str, port: int | None, root: Path | None
) -> LocationInfo:
    if await Location.filter(name__iexact=name).exists():
        raise Conflict(f"There is a location {name} already.", field="name")
    location = await Location.create(
        name=name,
        host=host,
        port=port,
        root=str(root) if root else None,
        created_at=clock.now(),
    )
    await audit.record(actor, "location.add", f"location {name}", host=host, port=port)
    return await _info_of(location)


@transactional
async def set_location(
    actor: Actor,
    location_id: int,
    *,
    host: str | None = None,
    port: int | None = None,
    is_default: bool | None = None,
) -> LocationInfo:
    """Change host, port or the default; the root stays: the repositories are there."""
    require_admin(actor)
    location = await _get(location_id)
    if host is not None:
        _check_host(host)
        location.host = host
    if port is not None:
        _check_port(port)
        location.port = port
    if is_default:
        await Location.filter(is_default=True).update(is_default=False)
        location.is_default = True
    await location.save()
    await audit.record(
        actor,
        "location.set",
        f"location {location.name}",
        host=host,
        port=port,
        default=is_default,
    )
    return await _info_of(location)


@transactional
async def delete_location(actor: Actor, location_id: int) -> None:
    """Delete a location that no repository is at, not even one in the trash."""
    require_admin(actor)
    location = await _get(location_id)
    if location.is_default:
        raise Conflict("This is the default location: make another one the default first.")
    count = await Repository.filter(location_id=location_id).count()
    if count:
        raise Conflict(
            f"{count} repositories are at {location.name} (those in the trash included): nothing"
            " is deleted as long as they are there."
        )
    await location.delete()
    await audit.record(actor, "location.delete", f"location {location.name}")


def _check_host(host: str) -> None:
    try:
        if "%" in host:  # a zone means nothing to clients, and may hold any character
            raise ValueError
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise InvalidInput(
                f"{host[:80]!r} is no host name and no address.", field="host"
            ) from None


def _check_port(port: int | None) -> None:
    if port is not None and not 1 <= port <= 65535:
        raise InvalidInput("A port is a number from 1 to 65535.", field="port")


def _check_root(root: Path) -> None:
    if not root.is_absolute():
        raise InvalidInput("The storage root must be an absolute path.", field="root")
    try:
        runtime.prepare_root(root)
    except OSError as error:
        raise StorageError(f"The storage root {root} cannot be made: {error.strerror}.") from error
    if not root.is_dir():
        raise InvalidInput(f"{root} is no directory.", field="root")


async def _get(location_id: int) -> Location:
    location = await Location.get_or_none(id=location_id)
    if location is None:
        raise NotFound("There is no such location.")
    return location


async def _counts() -> dict[int, int]:
    """How many repositories there are at each location."""
    there = Repository.filter(deleted_at=None).annotate(count=Count("id"))
    rows = await there.group_by("location_id").values("location_id", "count")
    return {row["location_id"]: row["count"] for row in rows}


async def _info_of(location: Location) -> LocationInfo:
    return _info(location, (await _counts()).get(location.id, 0))


def _info(location: Location, repositories: int) -> LocationInfo:
    root = storage.root_of(location)
    return LocationInfo(
        location.id,
        location.name,
        host_of(location),
        port_of(location),
        root,
        location.is_default,
        repositories,
        disks.free_bytes(root),
        location.created_at,
    )
