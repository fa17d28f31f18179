"""Passwords: argon2, off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hive.errors import InvalidInput

MIN_LENGTH = 10
MAX_LENGTH = 1024

_hasher = PasswordHasher()
# One hash takes 64 MiB and a core for 50 ms: a crowd at the login page must not take the machine.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def check_strength(password: str) -> None:
    """Raise InvalidInput where the password is too short to be one."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput(
            "The password is too short: %(min_length)s characters are the least.",
            field="password",
            min_length=MIN_LENGTH,
        )
    if len(password) > MAX_LENGTH:
        raise InvalidInput(
            "The password is too long: %(max_length)s characters are the most.",
            field="password",
            max_length=MAX_LENGTH,
        )


async def hash_password(password: str) -> str:
    check_strength(password)
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify(password: str, stored: str | None) -> bool:
    """Whether the password is right; takes as long where nothing is stored."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _verify, password[:MAX_LENGTH], stored)


def _verify(password: str, stored: str | None) -> bool:
    try:
        return _hasher.verify(stored or _nobodys_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
