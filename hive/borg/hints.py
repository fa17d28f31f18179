"""Borg 1's hints file: which segments hold something, and how much borg counts as used.

An import can bring a hints file of any content, so it is read piece by piece: a small file can
stand for a structure that fills the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgpack

_MAX_BYTES = 256 * 1024 * 1024  # of a repository of 100 TB it has about 10 MB
_MAX_SEGMENTS = 4_000_000  # 20 TB of the smallest that any borg made by itself, 2 PB of usual ones
_MAX_FIELDS = 64


class HintsError(ValueError):
    """The file is not what borg writes."""


@dataclass(frozen=True)
class Hints:
    """`segments` are those with live entries; None is what borg did not count.

    `compactable` are the bytes that a compaction would free.
    """

    segments: frozenset[int]
    quota_use: int | None
    compactable: int | None = None


def read_hints(path: Path) -> Hints:
    """Read a hints file; OSError or HintsError where that cannot be. Blocking."""
    if path.stat().st_size > _MAX_BYTES:
        raise HintsError
    # Scalars only: the maps of the format are read header by header, the rest is skipped.
    unpacker = msgpack.Unpacker(
        raw=True,
        strict_map_key=False,
        max_buffer_size=_MAX_BYTES,
        max_str_len=64,
        max_bin_len=64,
        max_array_len=0,
        max_map_len=0,
        max_ext_len=0,
    )
    unpacker.feed(path.read_bytes())
    segments: frozenset[int] = frozenset()
    quota_use = compactable = None
    try:
        for _ in range(_fields(unpacker)):
            name = unpacker.unpack()
            if name == b"segments":
                segments = frozenset(_live(unpacker))
            elif name == b"storage_quota_use":
                quota_use = _natural(unpacker.unpack())
            elif name == b"compact":
                compactable = _sum(unpacker)
            else:
                unpacker.skip()
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise HintsError from error
    return Hints(segments, quota_use, compactable)


def _fields(unpacker: msgpack.Unpacker) -> int:
    fields: int = unpacker.read_map_header()
    if fields > _MAX_FIELDS:
        raise HintsError
    return fields


def _live(unpacker: msgpack.Unpacker) -> list[int]:
    count = unpacker.read_map_header()
    if count > _MAX_SEGMENTS:
        raise HintsError
    live = []
    for _ in range(count):
        segment, entries = _natural(unpacker.unpack()), unpacker.unpack()
        if entries:
            live.append(segment)
    return live


def _sum(unpacker: msgpack.Unpacker) -> int:
    count = unpacker.read_map_header()
    if count > _MAX_SEGMENTS:
        raise HintsError
    total = 0
    for _ in range(count):
        unpacker.skip()  # the segment's number
        freed = unpacker.unpack()
        total += freed if isinstance(freed, int) else 0
    return max(total, 0)


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HintsError
    return value
