"""Whether what a client wants to store as a repository's key can be one. Pure.

A repokey is base64, in lines, of a msgpack map with the encrypted key and how to decrypt it
(borg's `EncryptedKey`). Stored unchecked, a line of another shape could break the config file.
"""

from __future__ import annotations

import binascii
from typing import Final

import msgpack

MOST_KEY_BYTES: Final = 16 * 1024  # borg's are below 1 KiB
_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n")


def is_key_data(data: object) -> bool:
    """Tell whether `data` is a key as borg 1 writes it, or empty, which takes the key out."""
    if not isinstance(data, bytes) or len(data) > MOST_KEY_BYTES:
        return False
    if not data:
        return True
    # A carriage return, for one, would begin another option when the config is read.
    if not _BASE64.issuperset(data):
        return False
    try:
        content = msgpack.unpackb(
            binascii.a2b_base64(data, strict_mode=False),
            raw=True,
            max_ext_len=0,
            max_array_len=0,
            max_map_len=20,
        )
    except (ValueError, TypeError, msgpack.UnpackException):
        return False
    return (
        isinstance(content, dict)
        and type(content.get(b"version")) is int
        and isinstance(content.get(b"algorithm"), bytes)
        and isinstance(content.get(b"data"), bytes)
    )
