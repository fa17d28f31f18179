"""WebAuthn challenges: made for one purpose, good for a few minutes, taken once.

Nothing is kept for a challenge until it comes back signed, so that strangers who ask for many
fill no memory. The challenge itself says who made it and what for, sealed with a key that
lives as long as the services run.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from hive import clock, memory

_SECONDS = 300
_NONCE, _EXPIRY, _SEAL = 16, 8, 32


@dataclass
class _Memory:
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    taken: dict[bytes, int] = field(default_factory=dict)


def new(purpose: str) -> bytes:
    expiry = int(clock.now().timestamp()) + _SECONDS
    body = secrets.token_bytes(_NONCE) + expiry.to_bytes(_EXPIRY, "big")
    return body + _seal(body, purpose)


def is_good(challenge: bytes, purpose: str) -> bool:
    """Whether it was made here, for this purpose, not long ago, and was not taken yet."""
    body, seal = challenge[:-_SEAL], challenge[-_SEAL:]
    if len(challenge) != _NONCE + _EXPIRY + _SEAL:
        return False
    if not hmac.compare_digest(seal, _seal(body, purpose)):
        return False
    return (
        _expiry(challenge) > clock.now().timestamp() and challenge not in memory.of(_Memory).taken
    )


def take(challenge: bytes) -> None:
    """Take a good challenge whose answer was right; it is good no more."""
    now = clock.now().timestamp()
    taken = memory.of(_Memory).taken
    for old in [old for old, expiry in taken.items() if expiry <= now]:
        del taken[old]
    taken[challenge] = _expiry(challenge)


def _expiry(challenge: bytes) -> int:
    return int.from_bytes(challenge[_NONCE : _NONCE + _EXPIRY], "big")


def _seal(body: bytes, purpose: str) -> bytes:
    return hmac.digest(memory.of(_Memory).key, body + purpose.encode(), hashlib.sha256)
