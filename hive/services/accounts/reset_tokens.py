"""Tokens of the links by which users choose a password, once: an hour long, invitations a week."""

from __future__ import annotations

from datetime import datetime, timedelta

from tortoise.expressions import Q

from hive import clock, tokens
from hive.database import transactional
from hive.models import Invitation, PasswordReset, User

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
    good = Q(token_sha256=tokens.digest(token), expires_at__gt=clock.now())
    for query in (PasswordReset.filter(good), Invitation.filter(good)):
        row = await query.select_related("user").first()
        if row is not None and row.user.enabled:
            return row.user
    return None


@transactional
async def withdraw(user_id: int) -> None:
    """Make all tokens of a user worthless, those of an invitation too."""
    await Invitation.filter(user_id=user_id).delete()
    await PasswordReset.filter(user_id=user_id).delete()
