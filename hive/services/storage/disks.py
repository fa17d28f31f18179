"""The disks of our directories: how full they are, and how much free space is too little.

A disk counts as full before it is: below a reserve no session writes new data any more, so that
there is room for the way out. Admission, imports, doctor, /healthz, alarms and pages all ask here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from tortoise.expressions import Subquery
from tortoise.functions import Sum

from hive import clock, memory
from hive.models import Inspection, Location, Repository
from hive.sentences import Size, say
from hive.services import runtime
from hive.services.alarms.rules import DISK_STEPS, level
from hive.services.checks import Check
from hive.services.installation import presence
from hive.services.storage import forecast
from hive.services.storage import paths as storage

FULL = 100  # the level above all steps: new data is refused

_MIB = 1024**2
_LEAST_RESERVE = 512 * _MIB
_LARGEST_RESERVE = 10 * 1024 * _MIB
_LARGEST_SHARE = 10  # of a small disk no more than one part in ten
_NEAR = 2  # reserves that are left when people are warned, whatever the percentage
_SOON = timedelta(days=30)
_INODES = 1000  # kept free, where the file system has a fixed number of them


@dataclass
class _Memory:
    # storage root -> what borg wants free for its largest repository
    asked: dict[Path, int] = field(default_factory=dict)
    # storage root -> its device, and the ballast in use
    lent: dict[Path, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Space:
    """A file system as df shows it: what is reserved for root is neither used nor free."""

    used_bytes: int
    free_bytes: int
    used_inodes: int = 0
    free_inodes: int = 0
    asked_bytes: int = 0  # by borg, before it commits anything there

    @property
    def total_bytes(self) -> int:
        return self.used_bytes + self.free_bytes

    @property
    def percent(self) -> float:
        """How much of it is used, by bytes or by inodes, whichever is worse."""
        shares = [0.0]
        for used, free in (
            (self.used_bytes, self.free_bytes),
            (self.used_inodes, self.free_inodes),
        ):
            if used + free:
                shares.append(100 * used / (used + free))
        return max(shares)

    @property
    def reserve_bytes(self) -> int:
        """Below this, no new data: the setting, else 1 % within bounds that fit the disk.

        Nor less than borg asks for: its client would upload everything, and be refused then.
        """
        wanted = runtime.settings().storage.reserve
        if wanted is not None:
            return wanted
        least = max(_LEAST_RESERVE, self.asked_bytes)
        bounded = min(max(self.total_bytes // 100, least), _LARGEST_RESERVE)
        return min(bounded, self.total_bytes // _LARGEST_SHARE)

    @property
    def is_full(self) -> bool:
        return self.free_bytes < self.reserve_bytes or self._lacks_inodes

    @property
    def _lacks_inodes(self) -> bool:
        total = self.used_inodes + self.free_inodes
        return bool(total) and self.free_inodes < min(_INODES, total // 100)

    def level(self, current: int = 0) -> int:
        """The step of fullness that is passed, FULL above all; `current` holds a little longer."""
        is_barely_over = current >= FULL and self.free_bytes < self.reserve_bytes * 5 // 4
        if self.is_full or is_barely_over:
            return FULL
        percent = self.percent
        if self.free_bytes < _NEAR * self.reserve_bytes:
            percent = max(percent, DISK_STEPS[-2])
        return level(percent, DISK_STEPS, min(current, DISK_STEPS[-1]))

    @property
    def words(self) -> str:
        """What is left, for people."""
        if self._lacks_inodes and self.free_bytes >= self.reserve_bytes:
            return say("%(count)s inodes are free", count=self.free_inodes)
        free, reserve = Size(self.free_bytes), Size(self.reserve_bytes)
        return say("%(free)s are free, %(reserve)s are kept in reserve", free=free, reserve=reserve)


@dataclass(frozen=True)
class Disk:
    """One file system, by our directories on it; `space` is None where it cannot be reached."""

    paths: tuple[Path, ...]
    space: Space | None
    error: str = ""

    @property
    def name(self) -> str:
        return ", ".join(map(str, self.paths))


def measure(path: Path) -> Space:
    """The space of the file system that `path` is on; OSError where it cannot be reached.

    Ballast that was given up for somebody is free for nobody else.
    """
    status = os.statvfs(path)
    lent = _lent_on(path)
    free = max(0, status.f_bavail * status.f_frsize - lent)
    return Space(
        used_bytes=(status.f_blocks - status.f_bfree) * status.f_frsize + lent,
        free_bytes=free,
        # some file systems have no fixed number of inodes, and say 0
        used_inodes=status.f_files - status.f_ffree,
        free_inodes=status.f_favail,
        asked_bytes=memory.of(_Memory).asked.get(path, 0),
    )


def note_asked(asked: Mapping[Path, int]) -> None:
    """Take note of what borg wants free on each storage root."""
    memory.of(_Memory).asked = dict(asked)


def note_lent(root: Path, size: int) -> None:
    """Take note of ballast that is given up for a session, or (0) is back."""
    if size:
        memory.of(_Memory).lent[root] = (root.stat().st_dev, size)
    else:
        memory.of(_Memory).lent.pop(root, None)


def _lent_on(path: Path) -> int:
    lent = memory.of(_Memory).lent
    if not lent:
        return 0
    device = path.stat().st_dev
    return sum(size for other, size in list(lent.values()) if other == device)


def asked_bytes(root: Path) -> int:
    return memory.of(_Memory).asked.get(root, 0)


def free_bytes(path: Path) -> int | None:
    """Bytes that may still be written there; None where it cannot be reached."""
    try:
        return measure(path).free_bytes
    except OSError:
        return None


def refusal(root: Path) -> str | None:
    """Why no new data may be written to this storage root now, for clients. Blocking.

    The data directory counts as well: without room there, nothing can be recorded.
    """
    presence.require(root)
    for path in (root, runtime.paths().data_dir):
        try:
            space = measure(path)
        except OSError:
            continue  # a write there fails and says why
        if space.is_full:
            return say(
                "The server's disk is full: %(space)s. Its administrator has been "
                "notified. Listing, restoring, deleting and compacting still work.",
                space=space.words,
            )
    return None


async def all_disks() -> list[Disk]:
    """Every disk that holds a storage root or the data directory, once."""
    roots = {storage.root_of(location) for location in await Location.all()}
    away = {root: why for root in roots if (why := presence.words_of_root(root)) is not None}
    there = [*sorted(roots - away.keys()), runtime.paths().data_dir]
    found = await asyncio.to_thread(_by_device, there)
    return [*found, *(Disk((root,), None, away[root]) for root in sorted(away))]


def _by_device(paths: Collection[Path]) -> list[Disk]:
    together: dict[int, list[Path]] = {}
    missing = []
    for path in paths:
        try:
            together.setdefault(path.stat().st_dev, []).append(path)
        except OSError as error:
            missing.append(Disk((path,), None, error.strerror or str(error)))
    found = []
    for group in together.values():
        try:
            found.append(Disk(tuple(group), measure(group[0])))
        except OSError as error:
            missing.append(Disk(tuple(group), None, error.strerror or str(error)))
    return [*found, *missing]


async def problems() -> list[str]:
    """What keeps new backups out, in a sentence for each disk; it names no path."""
    return [
        say(
            "a disk of the server is full: %(space)s, so no new data is accepted",
            space=disk.space.words,
        )
        for disk in await all_disks()
        if disk.space is not None and disk.space.is_full
    ]


def findings(disk: Disk) -> Check:
    """What `hive doctor` says of a disk."""
    subject, space = say("Storage"), disk.space
    if space is None:
        message = say(
            "The storage root %(path)s cannot be used: %(problem)s",
            path=disk.name,
            problem=disk.error,
        )
        return Check("error", subject, message, say("Mount or create it."))
    if space.is_full:
        message = say(
            "The disk of %(disk)s is full: %(space)s. No new data is accepted",
            disk=disk.name,
            space=space.words,
        )
        remedy = say("Delete archives and compact, delete repositories, or add a disk.")
        return Check("error", subject, message, remedy)
    message = say(
        "The disk of %(disk)s is %(percent).0f %% full: %(space)s",
        disk=disk.name,
        percent=space.percent,
        space=space.words,
    )
    if space.level() >= DISK_STEPS[-2]:
        remedy = say("Delete, compact, or add a disk: below the reserve, no new data is accepted.")
        return Check("warning", subject, message, remedy)
    return Check("ok", subject, message)


@dataclass(frozen=True, kw_only=True)
class DiskInfo:
    """One storage root, by the names of the locations that lie there; not by its path."""

    locations: tuple[str, ...]
    used_bytes: int
    total_bytes: int
    percent: int  # as Space.percent has it, by bytes or by inodes
    soon_percent: int | None  # in 30 days; None where that is not more
    full_on: date | None  # when no new data is taken any more


async def disks(location_ids: Collection[int]) -> list[DiskInfo]:
    """The disks of these locations, the fullest first; one that cannot be reached is left out."""
    found = []
    for rows, space, grows in await _forecasts():
        names = tuple(row.name for row in rows if row.id in location_ids)
        if names:
            percent = round(space.percent)
            found.append(
                DiskInfo(
                    locations=names,
                    used_bytes=space.used_bytes,
                    total_bytes=space.total_bytes,
                    percent=percent,
                    soon_percent=_soon_percent(space, grows),
                    full_on=_full_on(space, grows),
                )
            )
    return sorted(found, key=lambda one: -one.percent)


async def full_on(location: str) -> date | None:
    """When the disk of this location will take no new data any more."""
    for rows, space, grows in await _forecasts():
        if any(row.name == location for row in rows):
            return _full_on(space, grows)
    return None


async def _forecasts() -> list[tuple[list[Location], Space, int]]:
    """The one forecast: by storage root, with what all repositories on its disk grow in a week.

    What the disk keeps in reserve is not used up by backups: it is full when they are refused.
    """
    locations = await Location.all().order_by("name")
    growth = await _growth(locations)
    places: dict[Path, list[Location]] = {}
    for row in locations:
        places.setdefault(storage.root_of(row), []).append(row)
    there = [root for root in places if presence.words_of_root(root) is None]
    spaces = await asyncio.to_thread(_spaces, there)
    by_device: dict[int, int] = {}
    for root, (device, _) in spaces.items():
        grows = sum(growth.get(row.id, 0) for row in places[root])
        by_device[device] = by_device.get(device, 0) + grows
    return [(places[root], space, by_device[device]) for root, (device, space) in spaces.items()]


def _spaces(roots: Collection[Path]) -> dict[Path, tuple[int, Space]]:
    found = {}
    for root in roots:
        with suppress(OSError):
            found[root] = (root.stat().st_dev, measure(root))
    return found


def _soon_percent(space: Space, grows: int) -> int | None:
    used = space.used_bytes + grows * (_SOON / timedelta(weeks=1))
    percent = min(round(100 * used / space.total_bytes), 100) if space.total_bytes else 0
    return percent if percent > round(space.percent) else None


def _full_on(space: Space, grows: int) -> date | None:
    now = clock.now()
    if space.is_full:
        return now.date()
    return forecast.full_on(0, space.free_bytes - space.reserve_bytes, grows, now)


async def _growth(locations: Sequence[Location]) -> dict[int, int]:
    """Bytes a week of all repositories at each location, those that nobody asks for included."""
    deleted = Repository.filter(deleted_at__isnull=False).values("id")
    grown = Inspection.exclude(repository_id__in=Subquery(deleted)).annotate(
        total=Sum("growth_bytes_per_week")
    )
    if len(locations) == 1:  # a third of the time, for nothing is to be looked up
        rows = await grown.values("total")
        return {locations[0].id: rows[0]["total"] or 0}
    where = "repository__location_id"
    rows = await grown.group_by(where).values(where, "total")
    return {row[where]: row["total"] or 0 for row in rows}
