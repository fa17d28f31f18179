"""Logging in with a browser: sessions, the limit on wrong passwords, and the first set-up."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from datetime import timedelta

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, Forbidden
from hive.kinds import Source
from hive.models import Installation, WebSession
from hive.services import accounts, names, passwords, runtime
from hive.services.accounts import UserInfo
from hive.services.permissions import Actor

_SEEN_EVERY = timedelta(minutes=1)
_MAX_TRACKED = 10_000


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def log_in(name: str, password: str, *, address: str, user_agent: str) -> str | None:
    """The token of a new session, or None where name or password is wrong.

    Forbidden after too many wrong passwords, for the account or from the address.
    """
    settings = runtime.settings().web
    _tries_by_account.check(name, settings.login_tries_per_account_per_day, timedelta(days=1))
    _tries_by_address.check(address, settings.login_tries_per_address_per_hour, timedelta(hours=1))
    user = await accounts.authenticate(name, password)
    if user is None:
        _tries_by_account.count(name)
        _tries_by_address.count(address)
        return None
    return await open_session(user, address=address, user_agent=user_agent)


async def open_session(user: UserInfo, *, address: str, user_agent: str) -> str:
    """Open a browser session for a user who has proved who they are; returns its token."""
    token = secrets.token_urlsafe(32)
    await _store(user, token, address, user_agent)
    return token


@transactional
async def _store(user: UserInfo, token: str, address: str, user_agent: str) -> None:
    now = clock.now()
    await WebSession.create(
        token_sha256=_digest(token),
        user_id=user.id,
        address=address[:64],
        user_agent=user_agent[:300],
        created_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(days=runtime.settings().web.session_days),
    )
    await accounts.note_login(user.actor(Source.WEB, address))


async def user_of(token: str) -> UserInfo | None:
    """The user of a session that is neither expired nor idle for too long."""
    row = await WebSession.get_or_none(token_sha256=_digest(token)).select_related("user")
    if row is None or not row.user.enabled:
        return None
    now = clock.now()
    idle = now - row.last_seen_at
    if row.expires_at <= now or idle > timedelta(hours=runtime.settings().web.session_idle_hours):
        await end(token)
        return None
    if idle > _SEEN_EVERY:
        await _touch(row.id)
    return await accounts.get_user(
        Actor(row.user_id, row.user.name, False, Source.WEB), row.user_id
    )


@transactional
async def _touch(session_id: int) -> None:
    await WebSession.filter(id=session_id).update(last_seen_at=clock.now())


@transactional
async def end(token: str) -> None:
    await WebSession.filter(token_sha256=_digest(token)).delete()


@transactional
async def new_setup_token() -> str | None:
    """A fresh one-time token for the set-up page while there is no administrator, else None."""
    if await accounts.administrator_exists():
        return None
    token = secrets.token_urlsafe(24)
    await Installation.all().update(setup_token_sha256=_digest(token))
    return token


async def setup_is_open(token: str) -> bool:
    """Whether this is the token of the running set-up."""
    installation = await Installation.first()
    stored = installation.setup_token_sha256 if installation else None
    if stored is None or await accounts.administrator_exists():
        return False
    return secrets.compare_digest(stored, _digest(token))


async def complete_setup(token: str, name: str, password: str, *, address: str) -> UserInfo:
    """Make the first administrator; the token works once."""
    if not await setup_is_open(token):
        raise Forbidden("This set-up link is no longer valid: the log has the one of this start.")
    names.check_account(name, "user")
    hashed = await passwords.hash_password(password)
    actor = Actor(None, "set-up", is_admin=True, source=Source.WEB, address=address)
    return await _store_first_administrator(actor, token, name, hashed)


@transactional
async def _store_first_administrator(
    actor: Actor, token: str, name: str, password_hash: str
) -> UserInfo:
    if not await setup_is_open(token):
        raise Conflict("Somebody else has just become the first administrator.")
    user = await accounts.store_user(actor, name, None, password_hash, is_admin=True)
    await Installation.all().update(setup_token_sha256=None)
    return user


class _Tries:
    """Wrong passwords a name or an address has had, in memory, for a limited number of them."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, who: str, limit: int, span: timedelta) -> None:
        since = clock.now().timestamp() - span.total_seconds()
        times = self._times.get(who)
        while times and times[0] < since:
            times.popleft()
        if times and len(times) >= limit:
            raise Forbidden("Too many wrong passwords. Try again later.")

    def count(self, who: str) -> None:
        self._times.setdefault(who, deque(maxlen=1000)).append(clock.now().timestamp())
        self._times.move_to_end(who)
        while len(self._times) > _MAX_TRACKED:
            self._times.popitem(last=False)


_tries_by_account = _Tries()
_tries_by_address = _Tries()


def forget_tries() -> None:
    """Start counting afresh; for a new server in the same process, as in tests."""
    _tries_by_account.__init__()  # type: ignore[misc]
    _tries_by_address.__init__()  # type: ignore[misc]
