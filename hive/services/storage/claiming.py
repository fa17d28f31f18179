"""Taking the storage root of a location for this installation's, when an administrator says so."""

from __future__ import annotations

from hive import clock, patience
from hive.database import transactional
from hive.errors import Conflict
from hive.models import Location
from hive.sentences import N_
from hive.services import audit, runtime
from hive.services.installation import marker
from hive.services.permissions import Actor, require_admin
from hive.services.storage import adoption, locations, paths, places
from hive.services.storage.locations import LocationInfo


async def adopt(actor: Actor, location_id: int) -> LocationInfo:
    """Take what is at the root now for the storage of this location: write its marker there.

    Conflict where another installation uses it.
    """
    require_admin(actor)
    location = await locations.get_by_id(location_id)
    if await _installation_at(location) not in (None, runtime.installation().uid):
        raise Conflict(
            "The storage of %(name)s is used by another installation. Only if that no longer"
            " runs: `hive location take-over %(name)s`.",
            name=location.name,
        )
    return await _claim(actor, location, "location.adopt", is_taken_over=False)


async def take_over(actor: Actor, location_id: int) -> LocationInfo:
    """Make the storage this installation's; whoever asks is sure that no other one uses it.

    Conflict where no other installation does.
    """
    require_admin(actor)
    location = await locations.get_by_id(location_id)
    if await _installation_at(location) in (None, runtime.installation().uid):
        raise Conflict(
            "The storage of %(name)s is not used by another installation.", name=location.name
        )
    return await _claim(actor, location, "location.take-over", is_taken_over=True)


async def _installation_at(location: Location) -> str | None:
    """Which installation the marker names; None where there is none."""
    root = paths.root_of(location)
    unread = N_("The storage root %(root)s cannot be read: %(strerror)s. Mount or make it first.")
    with paths.problems_of(root, unread):
        try:
            found = await patience.within(places.PATIENCE, marker.read, root)
        except marker.Damaged:
            return None
    return None if found is None else found.installation


async def _claim(
    actor: Actor, location: Location, action: str, *, is_taken_over: bool
) -> LocationInfo:
    root = paths.root_of(location)
    unwritten = N_("The storage root %(root)s cannot be written: %(strerror)s.")
    with paths.problems_of(root, unwritten):
        await patience.within(
            places.PATIENCE,
            places.put_marker,
            root,
            str(location.uid),
            is_taken_over=is_taken_over,
        )
        await adoption.note_vanished(location, seconds=places.PATIENCE)
    await _note_claimed(actor, location, action)
    await places.look(location, max_age=0)
    return await locations.info_of(await locations.get_by_id(location.id))


@transactional
async def _note_claimed(actor: Actor, location: Location, action: str) -> None:
    await Location.filter(id=location.id).update(marked_at=clock.now())
    await audit.record(actor, action, f"location {location.name}")
    locations.tell(location.id)
