"""How much free space borg 1 asks for before it commits or compacts.

From `Repository.check_free_space` of borg 1.2 and 1.4: four times the index, the hints, and for
compaction what the segments to be compacted still hold, at most a whole segment and one object.
Less, and borg refuses the commit ("Insufficient free space to complete transaction"), that of a
deletion too.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hive.borg.repository import entries, last_transaction, read_config

_LARGEST_SEGMENT = 500 * 1024**2  # borg's default
_LARGEST_OBJECT = 20 * 1024**2
_INDEXES = 4
_HINTS = 4  # borg assumes 10 bytes for what takes 3 and more in the file
_FEW_SEGMENTS = 10  # below that many to compact, borg adds up what they hold


def needed_bytes(path: Path) -> int:
    """Bytes that borg may want free for deleting and compacting in the repository. Blocking.

    An upper bound; 0 for what is not a repository of borg 1.
    """
    try:
        number = last_transaction(path)
        index = (path / f"index.{number}").stat().st_size
        hints = (path / f"hints.{number}").stat().st_size
    except OSError:
        return 0
    config = read_config(path)
    segment = config.segment_bytes if config is not None else _LARGEST_SEGMENT
    working_space = _working_space(path, segment + _LARGEST_OBJECT)
    return _INDEXES * index + _HINTS * hints + 4096 + working_space


def _working_space(path: Path, whole: int) -> int:
    """What compaction copies before it frees anything: whatever a few segments hold, or one."""
    held = count = 0
    for directory in entries(path / "data"):
        for segment in entries(Path(directory.path)):
            count += 1
            if count >= _FEW_SEGMENTS:
                return whole
            with suppress(OSError):
                held += segment.stat(follow_symlinks=False).st_size
    return min(held, whole)
