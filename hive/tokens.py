"""Tokens that stand for somebody: made here, and stored as their digest only."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new() -> str:
    """A token that nobody guesses: letters, digits, dashes and underscores."""
    return secrets.token_urlsafe(_BYTES)


def digest(token: str) -> str:
    """What is stored of a token, for any text that somebody may send as one.

    A plain hash is enough: what is hashed is random, not a password.
    """
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
