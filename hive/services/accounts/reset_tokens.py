"""Tokens of the links by which users choose a new password: an hour long, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from hive import clock, tokens
from hive.database import transactional
from hive.models import PasswordReset, User

LIFE = timedelta(hours=1)


@transactional
async def issue(user_id: int) -> tuple[str, datetime]:
    """A new token and the end of its life."""
    now = clock.now()
    await PasswordReset.filter(expires_at__lte=now).delete()  # nobody comes back for those
    token = tokens.new()
    row = await PasswordReset.create(
        token_sha256=tokens.digest(token), user_id=user_id, created_at=now, expires_at=now + LIFE
    )
    return token, row.expires_at


async def user_of(token: str) -> User | None:
    """The enabled user whose token this is, as long as it is good."""
    row = await PasswordReset.get_or_none(
        token_sha256=tokens.digest(token), expires_at__gt=clock.now()
    ).select_related("user")
    return row.user if row is not None and row.user.enabled else None


@transactional
async def withdraw(user_id: int) -> None:
    """Make all tokens of a user worthless."""
    await PasswordReset.filter(user_id=user_id).delete()
