"""Sealing secrets for the database: the key file, and text in and out.

    hive1:KEY_ID:BASE64(nonce, ciphertext, tag)

AES-256-GCM, with the place of the value (table, row, column) as associated data: a sealed text
that is copied to another row does not open there. The key file holds the current key first;
while keys are being changed, the former ones follow, so that both open.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hive import files
from hive.errors import Sealed, StorageError

VERSION = "hive1"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_MAX_FILE = 64 * 1024
_HEADER = (
    "# Opens the secrets in the database of Borg Hive. Keep it private, and keep a copy: without\n"
    "# it they are lost. Written by the server; see `hive secrets`.\n"
)


@dataclass(frozen=True)
class SealingKey:
    id: str
    value: bytes

    def __repr__(self) -> str:
        return f"Key({self.id})"


def _key(value: bytes) -> SealingKey:
    return SealingKey(hashlib.sha256(b"borg-hive key id" + value).hexdigest()[:12], value)


def new_key() -> SealingKey:
    return _key(secrets.token_bytes(_KEY_BYTES))


@dataclass(frozen=True)
class KeyRing:
    """The current key, and former ones that still open what they sealed."""

    current: SealingKey
    former: tuple[SealingKey, ...] = ()

    @property
    def keys(self) -> tuple[SealingKey, ...]:
        return (self.current, *self.former)

    def seal(self, text: str, place: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.current.value).encrypt(nonce, text.encode(), place.encode())
        packed = base64.urlsafe_b64encode(nonce + sealed).decode()
        return f"{VERSION}:{self.current.id}:{packed}"

    def sign(self, text: str, purpose: str) -> str:
        """What proves that a text is from here; for one purpose, in letters that URLs take."""
        return _signature(self.current, text, purpose)

    def is_signed(self, text: str, signature: str, purpose: str) -> bool:
        given = signature.encode()
        return any(
            hmac.compare_digest(_signature(one, text, purpose).encode(), given) for one in self.keys
        )

    def open(self, sealed: str, place: str) -> str:
        """The text; Sealed where the key is not here, or the text is not one for this place."""
        key = next((one for one in self.keys if one.id == key_id(sealed)), None)
        if key is None:
            raise Sealed(
                "A secret was sealed with the key %(sealed)s, which is not here.",
                sealed=key_id(sealed),
            )
        try:
            packed = base64.b64decode(sealed.rpartition(":")[2], altchars=b"-_", validate=True)
            opened = AESGCM(key.value).decrypt(
                packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], place.encode()
            )
            return opened.decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise Sealed("A secret is damaged, or was copied here from elsewhere.") from None


def _signature(key: SealingKey, text: str, purpose: str) -> str:
    """HMAC-SHA256 by a key that is good for nothing else."""
    own = hmac.digest(key.value, f"borg-hive signs {purpose}".encode(), hashlib.sha256)
    signed = hmac.digest(own, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def is_sealed(text: str) -> bool:
    return text.startswith(f"{VERSION}:") and text.count(":") == 2


def key_id(sealed: str) -> str:
    """The id of the key that a text was sealed with."""
    return sealed.split(":")[1][:40] if is_sealed(sealed) else ""


def read(path: Path) -> KeyRing | None:
    """The keys of the file; None if there is none, StorageError if it is not a key file."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            "The key file %(path)s cannot be read: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error
    try:
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
        found = [
            _key(base64.b64decode(line, validate=True))
            for line in lines
            if line and not line.startswith("#")
        ]
    except (ValueError, binascii.Error):
        found = []
    if not found or any(len(one.value) != _KEY_BYTES for one in found):
        raise StorageError(
            "%(path)s is not a key file of this server. Restore it from a copy.", path=path
        )
    return KeyRing(found[0], tuple(found[1:]))


def create(path: Path) -> KeyRing:
    """Make the key file with a new key; where another process was faster, take that one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        files.create(temporary, _content(KeyRing(new_key())))
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise StorageError(
            "The key file %(path)s cannot be made: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    files.sync_directory(path.parent)
    made = read(path)
    if made is None:
        raise StorageError("The key file %(path)s is gone again.", path=path)
    return made


def replace(path: Path, ring: KeyRing) -> None:
    """Put other keys into the file, in one step."""
    try:
        files.replace(path, _content(ring))
    except OSError as error:
        raise StorageError(
            "The key file %(path)s cannot be written: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error


def _content(ring: KeyRing) -> bytes:
    lines = "".join(f"{base64.b64encode(one.value).decode()}\n" for one in ring.keys)
    return f"{_HEADER}{lines}".encode()
