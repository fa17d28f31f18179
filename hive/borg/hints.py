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
    """`segments` are those with live entries; `quota_use` is None where borg did not count.

    `freeable` is what compacting would free; `counted` is the number of segments with entries.
    """

    segments: frozenset[int]
    quota_use: int | None
    freeable: int = 0
    counted: int = 0


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
    quota_use = None
    freeable = counted = 0
    try:
        for _ in range(_fields(unpacker)):
            name = unpacker.unpack()
            if name == b"segments":
                counted, live = _live(unpacker)
                segments = frozenset(live)
            elif name == b"compact":
                freeable = _sum(unpacker)
            elif name == b"storage_quota_use":
                quota_use = _quota_use(unpacker.unpack())
            else:
                unpacker.skip()
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise HintsError from error
    return Hints(segments, quota_use, freeable, counted)


def _fields(unpacker: msgpack.Unpacker) -> int:
    fields: int = unpacker.read_map_header()
    if fields > _MAX_FIELDS:
        raise HintsError
    return fields


def _segments(unpacker: msgpack.Unpacker) -> int:
    count: int = unpacker.read_map_header()
    if count > _MAX_SEGMENTS:
        raise HintsError
    return count


def _live(unpacker: msgpack.Unpacker) -> tuple[int, list[int]]:
    count = _segments(unpacker)
    live = []
    for _ in range(count):
        segment, entries = _natural(unpacker.unpack()), unpacker.unpack()
        if entries:
            live.append(segment)
    return count, live


def _sum(unpacker: msgpack.Unpacker) -> int:
    total = 0
    for _ in range(_segments(unpacker)):
        _natural(unpacker.unpack())
        total += _natural(unpacker.unpack())
    return total


def _quota_use(value: object) -> int | None:
    """Borg before 1.1 did not count; a repository of its time may go below zero later."""
    if isinstance(value, int) and value < 0:
        return None
    return _natural(value)


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HintsError
    return value
