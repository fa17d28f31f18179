"""Locations: named places for repositories."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tortoise.functions import Count

from hive import addresses, clock, patience, signals
from hive.database import after_commit, transactional
from hive.errors import Conflict, InvalidInput, NotFound, StorageError
from hive.kinds import OPEN_MOVES
from hive.models import Location, Move, Repository
from hive.sentences import say
from hive.services import audit, names, references, runtime, versions
from hive.services.installation import presence
from hive.services.permissions import Actor, require_admin
from hive.services.storage import disks, paths, places
from hive.services.versions import Version

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)


@dataclass(frozen=True, kw_only=True)
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
    problem: str | None  # why its storage is not available, in a sentence


@dataclass(frozen=True, kw_only=True)
class AddLocation:
    """A location to add.

    name  unique
    host  how clients reach it: a host name or an address
    port  None: the server's SSH port
    root  where its repositories lie; None: in the data directory
    """

    name: str
    host: str
    port: int | None = None
    root: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeLocation:
    """What is to change of a location; what is absent stays as it is.

    The root always stays: the repositories are there. `is_default` creates new ones here from now
    on, and no longer at the former default. `version` is what the actor saw: Changed where it is
    another one by now.
    """

    host: str | None = None
    port: int | None = None
    is_default: bool = False
    version: Version | None = None


def host_of(location: Location) -> str:
    """The host as clients see it."""
    return location.host or runtime.host_name()


def port_of(location: Location) -> int:
    return location.port or runtime.ssh_port()


async def list_locations(_actor: Actor) -> list[LocationInfo]:
    """All locations: everybody may choose one."""
    rows = await Location.all().order_by("name")
    counts = await _counts()
    return [_info(row, counts.get(row.id, 0)) for row in rows]


async def find_location(_actor: Actor, reference: str) -> LocationInfo:
    """The location of this name or id; everybody may see it."""
    return await info_of(await get_location(reference))


async def find_location_by_id(_actor: Actor, location_id: int) -> LocationInfo:
    return await info_of(await get_by_id(location_id))


async def get_location(reference: str | None) -> Location:
    """The row itself, for other services; the default location for None."""
    if reference is None:
        location = await Location.filter(is_default=True).first()
        if location is None:
            raise NotFound("There is no default location: `hive location set NAME --default`.")
        return location
    location = await references.location(reference)
    if location is None:
        raise NotFound("There is no location %(reference)r.", reference=reference)
    return location


async def add_location(actor: Actor, wanted: AddLocation) -> LocationInfo:
    """Add a location and mark its storage, for administrators.

    InvalidInput names the field, `name`, `host`, `port` or `root`; Conflict for a name that is
    taken, StorageError where the root cannot be used.
    """
    require_admin(actor)
    names.check_account(wanted.name, "location")
    _check_host(wanted.host)
    _check_port(wanted.port)
    await _check_free(wanted.name)
    uid = str(uuid.uuid4())
    await _mark(wanted.root, uid)
    return await _create(actor, wanted, uid)


async def _check_free(name: str) -> None:
    if await Location.filter(name__iexact=name).exists():
        raise Conflict("There is a location %(name)s already.", field="name", name=name)


async def _mark(root: Path | None, uid: str) -> None:
    """Write the marker of a new location; StorageError where its root cannot be used."""
    path = root or runtime.paths().repositories
    for other in await Location.all():
        if paths.root_of(other) == path:
            await places.require(other)
    with paths.problems_of(path):
        await patience.within(places.PATIENCE, _prepare_and_mark, root, path, uid)


def _prepare_and_mark(root: Path | None, path: Path, uid: str) -> None:
    if root is not None:
        _check_root(root)
    places.put_marker(path, uid)


@transactional
async def _create(actor: Actor, wanted: AddLocation, uid: str) -> LocationInfo:
    await _check_free(wanted.name)
    location = await Location.create(
        name=wanted.name,
        host=wanted.host,
        port=wanted.port,
        root=str(wanted.root) if wanted.root else None,
        created_at=clock.now(),
        uid=uid,
        marked_at=clock.now(),
    )
    await audit.record(
        actor, "location.add", f"location {wanted.name}", host=wanted.host, port=wanted.port
    )
    tell(location.id)
    return await info_of(location)


def tell(location_id: int) -> None:
    """Have the server look at the storage of the location again, after commit."""
    after_commit(lambda: signals.tell(signals.StorageChanged(location_id)))


_AUDITED = ("host", "port", "is_default")


@transactional
async def change_location(actor: Actor, location_id: int, wanted: ChangeLocation) -> LocationInfo:
    """Change what is given, for administrators; InvalidInput names the field, `host` or `port`."""
    require_admin(actor)
    location = await get_by_id(location_id)
    await versions.require(location.id, wanted.version)
    before = audit.values_of(location, *_AUDITED)
    if wanted.host is not None:
        _check_host(wanted.host)
        location.host = wanted.host
    if wanted.port is not None:
        _check_port(wanted.port)
        location.port = wanted.port
    if wanted.is_default:
        await Location.filter(is_default=True).update(is_default=False)
        location.is_default = True
    await location.save()
    changed = audit.changes(before, audit.values_of(location, *_AUDITED))
    await audit.record(actor, "location.set", f"location {location.name}", **changed)
    return await info_of(location)


@transactional
async def delete_location(actor: Actor, location_id: int) -> None:
    """Delete a location that no repository is at, not even one in the trash."""
    require_admin(actor)
    location = await get_by_id(location_id)
    if location.is_default:
        raise Conflict("This is the default location: choose another default first.")
    count = await Repository.filter(location_id=location_id).count()
    if count:
        raise Conflict(
            "%(name)s still holds %(repositories)s (including the trash): a location can be deleted"
            " only when it is empty.",
            name=location.name,
            repositories=say("1 repository")
            if count == 1
            else say("%(count)s repositories", count=count),
        )
    if await Move.filter(target_id=location_id, state__in=OPEN_MOVES).exists():
        raise Conflict("A repository is being moved to %(name)s.", name=location.name)
    await location.delete()
    await audit.record(actor, "location.delete", f"location {location.name}")
    tell(location.id)


def _check_host(host: str) -> None:
    # a zone means nothing to clients, and may hold any character
    is_address = "%" not in host and addresses.parse(host) is not None
    if not is_address and not _HOST.fullmatch(host):
        raise InvalidInput(
            "%(host)r is neither a host name nor an address.", field="host", host=host[:80]
        )


def _check_port(port: int | None) -> None:
    if port is not None and not 1 <= port <= 65535:
        raise InvalidInput("A port is a number from 1 to 65535.", field="port")


def _check_root(root: Path) -> None:
    if not root.is_absolute():
        raise InvalidInput("The storage root must be an absolute path.", field="root")
    try:
        runtime.prepare_root(root)
    except OSError as error:
        raise StorageError(
            "The storage root %(root)s cannot be made: %(strerror)s.",
            root=root,
            strerror=error.strerror,
        ) from error
    if not root.is_dir():
        raise InvalidInput("%(root)s is not a directory.", field="root", root=root)


async def get_by_id(location_id: int) -> Location:
    """The row itself, for other services."""
    location = await Location.get_or_none(id=location_id)
    if location is None:
        raise NotFound("There is no such location.")
    return location


async def _counts() -> dict[int, int]:
    """How many repositories there are at each location."""
    there = Repository.filter(deleted_at=None).annotate(count=Count("id"))
    rows = await there.group_by("location_id").values("location_id", "count")
    return {row["location_id"]: row["count"] for row in rows}


async def info_of(location: Location) -> LocationInfo:
    """What everybody may know of a location."""
    return _info(location, (await _counts()).get(location.id, 0))


def _info(location: Location, repositories: int) -> LocationInfo:
    root = paths.root_of(location)
    problem = presence.words(location.id)
    return LocationInfo(
        id=location.id,
        name=location.name,
        host=host_of(location),
        port=port_of(location),
        root=root,
        is_default=location.is_default,
        repositories=repositories,
        free_bytes=None if problem else disks.free_bytes(root),
        created_at=location.created_at,
        problem=problem,
    )
