"""Borg 1's list of archives, where it can be read without a passphrase: modes none, authenticated.

The manifest is object 0. The index of the last transaction says where it lies; where there is no
index, as in a copy, the newest segments are searched. It is borg's own file or an import's, so that
nothing in it is believed: every length is checked, and what is too large is not read.

A manifest that is encrypted, or compressed with zstd, cannot be read here: None then.
"""

from __future__ import annotations

import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgpack

from hive.borg.repository import index_transaction, read_config
from hive.borg.uncommitted import Ending, ending, newest_first
from hive.sentences import say

_KEY = bytes(32)
_READABLE = frozenset({0x02, 0x06, 0x07})  # plain text, and the two kinds of `authenticated`
_INDEX = struct.Struct("<8siibb")  # magic, entries, buckets, sizes of key and value
_BUCKET = struct.Struct("<32sII")  # key, segment, offset
_EMPTY = 0xFFFFFFFF
_MOST_PROBES = 100_000
_HEADER = struct.Struct("<IIB")  # checksum, size with this header and the key, tag
_PUT = 0
_MAGIC = b"BORG_SEG"
_MOST_SEGMENTS = 20
_MOST_STORED = 16 * 1024 * 1024
_MOST_PLAIN = 32 * 1024 * 1024
_MOST_ARCHIVES = 100_000


@dataclass(frozen=True)
class Archive:
    name: str
    id: bytes
    at: datetime | None  # when the client began to make it, by the client's clock

    @property
    def is_checkpoint(self) -> bool:
        """Whether borg named it as what is left of an interrupted backup."""
        name, found, number = self.name.rpartition(".checkpoint")
        return bool(name and found) and (not number or number.lstrip(".").isdigit())


@dataclass(frozen=True)
class Manifest:
    archives: tuple[Archive, ...]

    def named(self, identifier: bytes) -> Archive | None:
        return next((one for one in self.archives if one.id == identifier), None)

    @property
    def newest_at(self) -> datetime | None:
        """When the newest archive was begun that is no checkpoint."""
        times = (one.at for one in self.archives if not one.is_checkpoint)
        return max((at for at in times if at is not None), default=None)


def read(path: Path) -> Manifest | None:
    """Read the manifest of the borg 1 repository at `path`; None where it cannot be. Blocking."""
    with suppress(OSError, ValueError, struct.error):
        stored = _stored(path)
        if stored is not None and stored[:1] and stored[0] in _READABLE:
            return _parsed(_plain(stored[1:]))
    return None


def is_there(path: Path) -> bool:
    """Whether the borg 1 repository at `path` has a manifest, readable or not. Blocking."""
    with suppress(OSError, struct.error):
        if _named_by_index(path) is not None:
            return True
    return any(_holds_one(segment) for _, segment in newest_first(path))


def _holds_one(segment: Path) -> bool:
    try:
        descriptor = _opened(segment)
    except OSError:
        return False
    try:
        return next(_manifests(descriptor), None) is not None
    finally:
        os.close(descriptor)


def _named_by_index(path: Path) -> bytes | None:
    config = read_config(path)
    where = _in_index(path, index_transaction(path))
    if config is None or config.version != 1 or where is None:
        return None
    number, offset = where
    segment = path / "data" / str(number // config.segments_per_dir) / str(number)
    return _object_at(segment, offset)


def _stored(path: Path) -> bytes | None:
    config = read_config(path)
    if config is None or config.version != 1:
        return None
    if _in_index(path, index_transaction(path)) is not None:
        return _named_by_index(path)
    is_committed = False  # from the last commit on, downwards
    for _, segment in islice(newest_first(path), _MOST_SEGMENTS):
        is_committed = is_committed or ending(segment) is Ending.COMMITTED
        found = _last_in(segment) if is_committed else None
        if found is not None:
            return found
    return None


def _in_index(path: Path, transaction: int) -> tuple[int, int] | None:
    """Segment and offset of the manifest, by the index of that transaction."""
    try:
        descriptor = _opened(path / f"index.{transaction}")
    except OSError:
        return None
    try:
        magic, _, buckets, key_size, value_size = _INDEX.unpack(
            os.pread(descriptor, _INDEX.size, 0)
        )
        if magic != b"BORG_IDX" or key_size + value_size != _BUCKET.size or buckets <= 0:
            return None
        # borg puts a key where its first four bytes say, or in the next free bucket behind
        for number in range(min(buckets, _MOST_PROBES)):
            content = os.pread(descriptor, _BUCKET.size, _INDEX.size + number * _BUCKET.size)
            key, segment, offset = _BUCKET.unpack(content)
            if segment == _EMPTY:
                return None
            if key == _KEY and segment < _EMPTY - 1:
                return segment, offset
        return None
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _object_at(segment: Path, offset: int) -> bytes | None:
    descriptor = _opened(segment)
    try:
        return _object(descriptor, offset)
    finally:
        os.close(descriptor)


def _object(descriptor: int, offset: int) -> bytes | None:
    """The content of the manifest that was put at `offset`; None where none was."""
    _, size, tag = _HEADER.unpack(os.pread(descriptor, _HEADER.size, offset))
    length = size - _HEADER.size - len(_KEY)
    if tag != _PUT or not 0 < length <= _MOST_STORED:
        return None
    content = os.pread(descriptor, len(_KEY) + length, offset + _HEADER.size)
    is_whole = len(content) == len(_KEY) + length and content.startswith(_KEY)
    return content[len(_KEY) :] if is_whole else None


def _last_in(segment: Path) -> bytes | None:
    descriptor = _opened(segment)
    try:
        last = None
        for last in _manifests(descriptor):  # noqa: B007 - the last one is wanted
            pass
        return None if last is None else _object(descriptor, last)
    finally:
        os.close(descriptor)


def _manifests(descriptor: int) -> Iterator[int]:
    """Where in the segment manifests were put."""
    if os.pread(descriptor, len(_MAGIC), 0) != _MAGIC:
        return
    offset, end = len(_MAGIC), os.fstat(descriptor).st_size
    while offset < end:
        head = os.pread(descriptor, _HEADER.size + len(_KEY), offset)
        if len(head) < _HEADER.size:
            return
        _, size, tag = _HEADER.unpack(head[: _HEADER.size])
        if size < _HEADER.size:
            return
        if tag == _PUT and head[_HEADER.size :] == _KEY:
            yield offset
        offset += size


def _plain(data: bytes) -> bytes:
    """Undo borg's compression, which its first bytes name; ValueError where that cannot be."""
    kind, rest = data[:2], data[2:]
    if kind == b"\x04\x00":  # obfuscated: a length, what was compressed, and noise
        (length,) = struct.unpack_from(">I", rest)
        kind, rest, data = rest[4:6], rest[6 : 4 + length], rest[4 : 4 + length]
    return _plain_of(kind, rest, data)


def _plain_of(kind: bytes, rest: bytes, whole: bytes) -> bytes:
    if kind == b"\x00\x00":
        return rest
    if kind == b"\x01\x00":
        return _lz4(rest)
    try:
        if kind == b"\x02\x00":
            return lzma.LZMADecompressor().decompress(rest, _MOST_PLAIN)
        if kind[:1] and kind[0] & 0x0F == 8 and int.from_bytes(kind, "big") % 31 == 0:
            return zlib.decompressobj().decompress(whole, _MOST_PLAIN)
    except (lzma.LZMAError, zlib.error) as error:
        raise ValueError(str(error)) from error
    raise ValueError(say("compressed in a way that is not known here: %(kind)r", kind=kind))


def _lz4(data: bytes) -> bytes:
    """A block of LZ4: tokens, each with bytes to take over and a place to repeat from."""
    out = bytearray()
    position = 0
    try:
        while position < len(data):
            token = data[position]
            length, position = _length(data, position + 1, token >> 4)
            out += data[position : position + length]
            position += length
            if position >= len(data):
                break
            back = data[position] | data[position + 1] << 8
            length, position = _length(data, position + 2, token & 15)
            _repeat(out, back, length + 4)
    except IndexError as error:
        raise ValueError("the compressed data is cut off") from error
    return bytes(out)


def _length(data: bytes, position: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            more = data[position]
            position += 1
            length += more
            if more != 255:
                break
    return length, position


def _repeat(out: bytearray, back: int, length: int) -> None:
    if not 0 < back <= len(out) or len(out) + length > _MOST_PLAIN:
        raise ValueError("the compressed data is not valid")
    start = len(out) - back
    while length > 0:
        part = out[start : start + length]
        out += part
        length -= len(part)


def _parsed(plain: bytes) -> Manifest:
    try:
        content = msgpack.unpackb(
            plain, raw=True, strict_map_key=False, max_map_len=_MOST_ARCHIVES, max_ext_len=0
        )
        archives = content[b"archives"]
        return Manifest(tuple(_archive(name, one) for name, one in archives.items()))
    except (TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
        raise ValueError("this is not a manifest") from error


def _archive(name: Any, fields: Any) -> Archive:  # noqa: ANN401 - whatever it holds
    identifier, at = fields[b"id"], fields.get(b"time")
    if not isinstance(name, bytes) or not isinstance(identifier, bytes):
        raise TypeError
    return Archive(name.decode("utf-8", "replace"), identifier, _moment(at))


def _moment(text: object) -> datetime | None:
    if not isinstance(text, bytes) or len(text) > 40:
        return None
    with suppress(ValueError):
        at = datetime.fromisoformat(text.decode("ascii", "replace"))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return None
