"""Which storage roots are not available just now, for everything that would touch them.

Memory only, so that it can be asked anywhere, from threads and transactions too;
hive/services/storage/places.py keeps it up to date.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hive import memory
from hive.errors import StorageError


@dataclass
class _Memory:
    # location -> its root, and why it is away
    known: dict[int, tuple[Path, str | None]] = field(default_factory=dict)


def _known() -> dict[int, tuple[Path, str | None]]:
    return memory.of(_Memory).known


def note(location_id: int, root: Path, words: str | None) -> None:
    _known()[location_id] = (root, words)


def forget(location_id: int) -> None:
    _known().pop(location_id, None)


def away() -> set[int]:
    """The locations that are not available."""
    return {one for one, (_, words) in list(_known().items()) if words is not None}


def words(location_id: int) -> str | None:
    """Why this location is not available, in a sentence; None where it is."""
    return _known().get(location_id, (None, None))[1]


def words_of_root(root: Path) -> str | None:
    """Why this root is not available; None where it is, for one of its locations at least."""
    found = [why for at, why in list(_known().values()) if at == root]
    return found[0] if found and all(found) else None


def is_away(path: Path) -> bool:
    """Whether the path is a storage root that is not available, or lies below one."""
    roots = {at for at, why in list(_known().values()) if why is not None}
    return any(root in (path, *path.parents) and words_of_root(root) is not None for root in roots)


def require(root: Path) -> None:
    """Raise StorageError where this root is not available."""
    why = words_of_root(root)
    if why is not None:
        raise StorageError(why)
