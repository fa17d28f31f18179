"""How a repository is encrypted, told without its passphrase.

borg begins every object with a byte that names the kind of key; borg 1's `config` and borg 2's
`keys/` hold the key of repokey encryption. Neither alone tells: `authenticated` keeps a key in the
config too, and `keyfile` leaves no more there than `none`.

borg 1   00, 04  keyfile         borg 2   10 to 40  encrypted: repokey where keys/ holds one
         02      none                     60, 70    authenticated
         03, 05  repokey                  80, 90    none
         06, 07  authenticated
         01      a passphrase alone (borg before 1.0); with a key in the config it is a repokey
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from hive.borg.repository import entries

_MAGICS = (b"BORG_SEG", b"ATTICSEG")
_HEADER = struct.Struct("<IIB")  # checksum, size with this header, tag
_ID_BYTES = 32
_PUT, _DELETE, _COMMIT = range(3)
_MAX_ENTRIES = 1000  # of a segment that begins with deletions
_BORG2_MAGIC = b"BORG_OBJ"
_BORG2_HEADER = struct.Struct("<8sB32sII")  # magic, version, id, sizes of metadata and data


class Encryption(StrEnum):
    REPOKEY = "repokey"
    KEYFILE = "keyfile"
    AUTHENTICATED = "authenticated"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def is_encrypted(self) -> bool | None:
        """Whether the content is secret; None where that is not known."""
        if self == Encryption.UNKNOWN:
            return None
        return self in (Encryption.REPOKEY, Encryption.KEYFILE)


_BORG1 = {
    0x00: Encryption.KEYFILE,
    0x02: Encryption.NONE,
    0x03: Encryption.REPOKEY,
    0x04: Encryption.KEYFILE,
    0x05: Encryption.REPOKEY,
    0x06: Encryption.AUTHENTICATED,
    0x07: Encryption.AUTHENTICATED,
}
_BORG2 = {
    0x60: Encryption.AUTHENTICATED,
    0x70: Encryption.AUTHENTICATED,
    0x80: Encryption.NONE,
    0x90: Encryption.NONE,
}
_BORG2_ENCRYPTED = (0x10, 0x20, 0x30, 0x40)
_OLD_PASSPHRASE = 0x01


def of_borg1(segments: Iterable[Path], *, has_key: bool) -> Encryption:
    """Tell it from the first object in one of the segment files; each may be gone by now."""
    for segment in segments:
        with suppress(OSError, struct.error), segment.open("rb") as file:
            kind = _first_kind(file)
            if kind == _OLD_PASSPHRASE and has_key:
                return Encryption.REPOKEY
            if kind is not None:
                return _BORG1.get(kind, Encryption.UNKNOWN)
    return Encryption.UNKNOWN


def _first_kind(file: BinaryIO) -> int | None:
    """The first byte of the first object of a segment; None where it holds none."""
    if file.read(8) not in _MAGICS:
        return None
    for _ in range(_MAX_ENTRIES):
        _, size, tag = _HEADER.unpack(file.read(_HEADER.size))
        if tag == _PUT:
            file.seek(_ID_BYTES, os.SEEK_CUR)
            return next(iter(file.read(1)), None)
        if tag not in (_DELETE, _COMMIT) or size < _HEADER.size:
            return None
        file.seek(size - _HEADER.size, os.SEEK_CUR)
    return None


def of_borg2(path: Path) -> Encryption:
    """Tell it from the manifest of the borg 2 repository at `path`."""
    try:
        with (path / "config" / "manifest").open("rb") as file:
            magic, _, _, metadata, _ = _BORG2_HEADER.unpack(file.read(_BORG2_HEADER.size))
            file.seek(metadata, os.SEEK_CUR)
            kind = next(iter(file.read(1)), None)
    except (OSError, struct.error):
        return Encryption.UNKNOWN
    if magic != _BORG2_MAGIC or kind is None:
        return Encryption.UNKNOWN
    if kind in _BORG2_ENCRYPTED:
        return Encryption.REPOKEY if entries(path / "keys") else Encryption.KEYFILE
    return _BORG2.get(kind, Encryption.UNKNOWN)
