"""The marker of a storage root: a file that says to which installation and locations it belongs.

<storage root>/.hive-location is JSON: {"installation": ID, "locations": [ID, ...], "written_at"}.
Where it is missing, the file system with the repositories is probably not mounted. Blocking.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from hive import clock, files

NAME = ".hive-location"

_MOST = 1024 * 1024


@dataclass(frozen=True)
class Marker:
    """`locations` are all that share the root."""

    installation: str
    locations: tuple[str, ...]
    written_at: str


class Damaged(Exception):
    """There is a marker that cannot be understood."""


def with_location(former: Marker | None, installation: str, location: str) -> Marker:
    """The marker that says that this location is there too; of what is `former`, if it is ours."""
    others = former.locations if former is not None and former.installation == installation else ()
    locations = others if location in others else (*others, location)
    return Marker(installation, locations, clock.rfc3339(clock.now()))


def without_location(former: Marker, location: str) -> Marker:
    return replace(former, locations=tuple(one for one in former.locations if one != location))


def read(root: Path) -> Marker | None:
    """The marker of this root; None where there is none, OSError where that cannot be seen."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root / NAME, flags)
    except FileNotFoundError:
        root.stat()  # where the root itself is missing, that is what is wrong
        return None
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MOST)
    try:
        values = json.loads(content)
        locations = values["locations"]
        if not isinstance(locations, list):
            raise Damaged
        return Marker(
            str(values["installation"]),
            tuple(map(str, locations)),
            str(values.get("written_at", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged from error


def write(root: Path, marker: Marker) -> None:
    """Write it atomically. The root must be there: nothing is made above it."""
    values = {
        "installation": marker.installation,
        "locations": list(marker.locations),
        "written_at": marker.written_at,
        "about": "A storage root of Borg Hive. Do not copy this file to another disk.",
    }
    files.replace(root / NAME, json.dumps(values).encode(), mode=0o644)


def try_writing(root: Path) -> None:
    """Write a file and remove it again; OSError where that fails."""
    path = root / f"{NAME}.probe"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
