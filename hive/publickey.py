"""Reading SSH public keys: one line in, a canonical key or a sentence on what is wrong out.

Only type and blob are kept; what was written around them never reaches a file, a log or a shell.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from hive.errors import InvalidInput
from hive.pasted_key import TYPES, one_line
from hive.sentences import Sentence, say

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
MAX_COMMENT = 255

_ACCEPTED = say("RSA (2048 bits and up), ECDSA, Ed25519 and FIDO (sk-) keys are accepted")


@dataclass(frozen=True)
class PublicKey:
    """A public key: `type` and base64 `blob` as in authorized_keys, the rest derived from them."""

    type: str
    blob: str
    bits: int
    comment: str

    @property
    def data(self) -> bytes:
        return base64.b64decode(self.blob)

    @property
    def fingerprint(self) -> str:
        """SHA256:<base64 without padding>, as ssh-keygen -l prints it."""
        return fingerprint(self.data)

    @property
    def line(self) -> str:
        """Type and blob, as in authorized_keys, without the comment."""
        return f"{self.type} {self.blob}"


def fingerprint(data: bytes) -> str:
    """The SHA-256 fingerprint of a key blob."""
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def parse(text: str) -> PublicKey:
    """Read one public key line; InvalidInput says what is wrong and what would be right."""
    key_type, blob, comment = _split(one_line(text))
    data = _decode(key_type, blob)
    return PublicKey(key_type, base64.b64encode(data).decode(), _bits(key_type, data), comment)


def _damaged() -> InvalidInput:
    return InvalidInput("The key is damaged: copy it again.", field="public_key")


def _split(line: str) -> tuple[str, str, str]:
    words = line.split(None, 2)
    key_type = words[0]
    if key_type not in TYPES:
        raise InvalidInput(_wrong_type(key_type, line), field="public_key")
    if len(words) < 2:
        raise InvalidInput(
            "Nothing follows %(type)s: the line was cut off when it was copied.",
            type=key_type,
            field="public_key",
        )
    comment = words[2].strip() if len(words) > 2 else ""
    return key_type, words[1], comment[:MAX_COMMENT]


def _wrong_type(word: str, line: str) -> Sentence:
    if word in {"ssh-dss", "ssh-dsa"}:
        return say(
            "DSA keys are broken and not accepted: use ssh-keygen -t ed25519. %(accepted)s.",
            accepted=_ACCEPTED,
        )
    if "-cert-v" in word:
        return say(
            "Certificates are not accepted, give the plain public key. %(accepted)s.",
            accepted=_ACCEPTED,
        )
    if any(f"{key_type} AAAA" in line for key_type in TYPES):
        return say(
            "Options before the key are not accepted: give type, key and comment only. Networks and"
            " an expiry are settings of the key here."
        )
    return say(
        "This does not begin with a key type such as ssh-ed25519. %(accepted)s.",
        accepted=_ACCEPTED,
    )


def _decode(key_type: str, blob: str) -> bytes:
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raise _damaged() from None
    if _first_string(data) != key_type.encode():
        raise InvalidInput(
            "The key is damaged: the line says %(type)s, the key itself does not.",
            type=key_type,
            field="public_key",
        )
    return data


def _first_string(data: bytes) -> bytes:
    if len(data) < 4:
        return b""
    (length,) = struct.unpack(">I", data[:4])
    return data[4 : 4 + length]


def _bits(key_type: str, data: bytes) -> int:
    """The key's size; loading it proves that the blob is whole."""
    if key_type.startswith("sk-"):
        return _security_key_bits(key_type, data)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - few parse keys
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key  # noqa: PLC0415

    line = key_type.encode() + b" " + base64.b64encode(data)
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm):
        raise _damaged() from None
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key.key_size)
        return key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return 256
    raise InvalidInput(
        "This key type is not accepted. %(accepted)s.", accepted=_ACCEPTED, field="public_key"
    )


def _check_rsa(bits: int) -> None:
    if bits < MIN_RSA_BITS:
        raise InvalidInput(
            "This RSA key has %(bits)s bits and can be broken; the minimum is %(least)s. Create a"
            " new one with ssh-keygen -t ed25519.",
            bits=bits,
            least=MIN_RSA_BITS,
            field="public_key",
        )
    if bits > MAX_RSA_BITS:
        raise InvalidInput(
            "This RSA key has %(bits)s bits; the maximum is %(most)s.",
            bits=bits,
            most=MAX_RSA_BITS,
            field="public_key",
        )


def _security_key_bits(key_type: str, data: bytes) -> int:
    """PROTOCOL.u2f: sk-ssh-ed25519 is (type, point, application), sk-ecdsa has a curve first."""
    try:
        fields = _strings(data)
    except struct.error:
        fields = []
    if key_type.startswith("sk-ssh-ed25519"):
        valid = len(fields) == 3 and len(fields[1]) == 32
    else:
        valid = len(fields) == 4 and fields[1] == b"nistp256" and _is_p256_point(fields[2])
    if not valid or not fields[-1]:
        raise _damaged()
    return 256


def _is_p256_point(point: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - few parse keys

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


def _strings(data: bytes) -> list[bytes]:
    fields = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        if length > len(data) - 4:
            raise struct.error
        fields.append(data[4 : 4 + length])
        data = data[4 + length :]
    return fields
