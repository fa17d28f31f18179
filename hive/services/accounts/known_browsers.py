"""Browsers that logged in to an account before: guesses of strangers do not slow those down.

The cookie's token is stored as its SHA-256 only, once for each user who logged in there. It opens
nothing: it only gives the browser a separate count of wrong passwords.
"""

from __future__ import annotations

import re
from datetime import timedelta

from hive import clock, tokens
from hive.database import transactional
from hive.models import KnownBrowser

LIFE = timedelta(days=365)
_MOST = 10  # of one user; the one not used for the longest time is forgotten
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


async def recognise(name: str, token: str | None) -> str | None:
    """What names the browser, if the user of this name logged in with it before.

    The same work is done whether there is such a user or not.
    """
    if token is None or _TOKEN.fullmatch(token) is None:
        return None
    digest, since = tokens.digest(token), clock.now() - LIFE
    rows = await KnownBrowser.filter(
        token_sha256=digest, last_used_at__gt=since, user__enabled=True
    ).values_list("user__name", flat=True)
    typed = name.strip().casefold()
    return digest if any(str(one).casefold() == typed for one in rows) else None


async def is_known(user_id: int, token: str | None) -> str | None:
    """The same for a user who is known already."""
    if token is None or _TOKEN.fullmatch(token) is None:
        return None
    digest, since = tokens.digest(token), clock.now() - LIFE
    known = KnownBrowser.filter(token_sha256=digest, last_used_at__gt=since, user_id=user_id)
    return digest if await known.exists() else None


@transactional
async def remember(user_id: int, token: str | None) -> str:
    """Remember that the user logged in with this browser; returns the token for its cookie."""
    now = clock.now()
    await KnownBrowser.filter(last_used_at__lte=now - LIFE).delete()
    if token is not None and _TOKEN.fullmatch(token):
        digest = tokens.digest(token)
        if await KnownBrowser.filter(user_id=user_id, token_sha256=digest).update(last_used_at=now):
            return token
        if not await KnownBrowser.filter(token_sha256=digest).exists():
            token = None  # made up, or revoked
    else:
        token = None
    kept = token or tokens.new()
    await KnownBrowser.create(
        user_id=user_id, token_sha256=tokens.digest(kept), created_at=now, last_used_at=now
    )
    ids = await KnownBrowser.filter(user_id=user_id).order_by("-last_used_at", "-id")
    await KnownBrowser.filter(id__in=[row.id for row in ids[_MOST:]]).delete()
    return kept


@transactional
async def forget(user_id: int, *, keep: str | None = None) -> None:
    """Forget the browsers of a user, all but the one with this token."""
    rows = KnownBrowser.filter(user_id=user_id)
    await (rows.exclude(token_sha256=tokens.digest(keep)) if keep else rows).delete()
