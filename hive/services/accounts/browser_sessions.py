"""Browser sessions. How one comes by a session: hive.services.accounts.login.

Their time is the estimated one: a clock that jumps logs nobody out, and nobody in forever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import tokens
from hive.database import transactional
from hive.errors import NotFound
from hive.kinds import Role, Source
from hive.models import WebSession
from hive.services import audit, runtime
from hive.services.accounts import users
from hive.services.accounts.users import UserInfo
from hive.services.clock import trust
from hive.services.permissions import Actor

_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class BrowserSession:
    """A browser that is logged in."""

    id: int
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool  # the one that asks


async def open_session(user: UserInfo, *, address: str, user_agent: str) -> str:
    """Open a browser session for a user who has proved who they are; returns its token."""
    token = tokens.new()
    await _store(user, token, address, user_agent)
    return token


@transactional
async def _store(user: UserInfo, token: str, address: str, user_agent: str) -> None:
    now = trust.estimated()
    await WebSession.filter(expires_at__lte=now).delete()  # nobody comes back to end those
    await WebSession.create(
        token_sha256=tokens.digest(token),
        user_id=user.id,
        address=address[:64],
        user_agent=user_agent[:300],
        created_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(days=runtime.settings().web.session_days),
    )
    await users.note_login(user.actor(Source.WEB, address))


async def user_of(token: str, *, is_seen: bool = True) -> UserInfo | None:
    """The user of a session that is neither expired nor idle for too long.

    `is_seen`: they did something just now, so that the idle time begins again.
    """
    row = await WebSession.get_or_none(token_sha256=tokens.digest(token)).select_related("user")
    if row is None or not row.user.enabled:
        return None
    now = trust.estimated()
    idle = now - row.last_seen_at
    if row.expires_at <= now or idle > timedelta(hours=runtime.settings().web.session_idle_hours):
        await end(token)
        return None
    if is_seen and idle > _SEEN_EVERY:
        await _touch(row.id)
    return await users.get_user(
        Actor(row.user_id, row.user.name, Role.MEMBER, Source.WEB), row.user_id
    )


@transactional
async def _touch(session_id: int) -> None:
    await WebSession.filter(id=session_id).update(last_seen_at=trust.estimated())


@transactional
async def end(token: str) -> None:
    await WebSession.filter(token_sha256=tokens.digest(token)).delete()


async def list_own(actor: Actor, token: str | None) -> list[BrowserSession]:
    """The actor's sessions, this one first, then the last seen; `token` is that of this one."""
    now, current = trust.estimated(), tokens.digest(token or "")
    idle = now - timedelta(hours=runtime.settings().web.session_idle_hours)
    rows = await WebSession.filter(
        user_id=actor.user_id, expires_at__gt=now, last_seen_at__gte=idle
    ).order_by("-last_seen_at", "-id")
    found = [
        BrowserSession(
            id=row.id,
            address=row.address,
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.token_sha256 == current,
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: not one.is_current)


@transactional
async def end_own(actor: Actor, session_id: int) -> None:
    """End one of the actor's sessions."""
    if not await WebSession.filter(id=session_id, user_id=actor.user_id).delete():
        raise NotFound("There is no such session: it has ended already.")
    await audit.record(actor, "user.session.end", f"user {actor.name}", session=session_id)


@transactional
async def end_others(actor: Actor, token: str) -> int:
    """End all of the actor's sessions but this one; how many those were."""
    others = WebSession.filter(user_id=actor.user_id).exclude(token_sha256=tokens.digest(token))
    count = await others.delete()
    await audit.record(actor, "user.session.end_others", f"user {actor.name}", count=count)
    return count
