"""Which storage root is the right one for a location that has no marker yet.

That of a former version is adopted only where what its repositories contained is found there, or
where none ever contained anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hive import clock, patience
from hive.database import transactional
from hive.kinds import EventKind
from hive.models import ConfigVersion, Event, Location, Repository
from hive.sentences import say
from hive.services.storage import paths

_MOST_NAMED = 3


@dataclass(frozen=True)
class _Held:
    """A repository that is known to have contained something; `is_expected`: until now."""

    row: Repository
    place: paths.Place
    is_expected: bool


async def doubt(location: Location, root: Path, *, seconds: float) -> str | None:
    """Why the root may be the wrong one; None where it is proven right. TimeoutError, OSError.

    The default one may be missing where it never contained anything: it is made then.
    """
    held = await _held(location)
    is_there = await patience.within(seconds, root.is_dir)
    if not held and (is_there or location.root is None):
        return None
    if not is_there:
        return say("its directory is missing")
    found = await patience.within(seconds, _created, held)
    missing = [one for one in held if one.is_expected and one.row.id not in found]
    if found and not missing:
        return None
    names = ", ".join(one.row.name for one in (missing or held)[:_MOST_NAMED])
    count = len(missing or held)
    return say(
        "the content of %(count)s of its repositories was not found there (%(names)s)",
        count=count,
        names=names,
    )


async def note_vanished(location: Location, *, seconds: float) -> None:
    """Somebody says that this root is right: what is not there is gone, and not created again."""
    held = await _held(location)
    found = await patience.within(seconds, _created, held)
    gone = [
        one.row.id
        for one in held
        if one.row.id not in found
        and one.row.vanished_at is None
        and not await _was_deleted(one.row.id)
    ]
    await _write(gone)


@transactional
async def _write(gone: list[int]) -> None:
    await Repository.filter(id__in=gone).update(vanished_at=clock.now())


async def _held(location: Location) -> list[_Held]:
    rows = await Repository.filter(location_id=location.id, deleted_at=None)
    kept = ConfigVersion.filter(repository_id__in=[row.id for row in rows])
    with_config = {row["repository_id"] for row in await kept.distinct().values("repository_id")}
    return [
        _Held(
            row,
            paths.place(location, row.login, row.directory),
            row.initialized_at is not None,
        )
        for row in rows
        if row.initialized_at is not None or row.last_backup_at is not None or row.id in with_config
    ]


def _created(held: Iterable[_Held]) -> set[int]:
    """Those that are on disk. Blocking."""
    return {one.row.id for one in held if one.place.is_created}


async def _was_deleted(repository_id: int) -> bool:
    """Whether a client deleted its content through the gate, as the last that is known of it."""
    told = (EventKind.CREATED, EventKind.DELETED, EventKind.UPDATED_LOCALLY)
    last = await Event.filter(repository_id=repository_id, kind__in=told).order_by("-id").first()
    return last is not None and last.kind == EventKind.DELETED
