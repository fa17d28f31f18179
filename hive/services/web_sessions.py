"""Logging in with a browser: sessions, the limit on wrong passwords, and the first set-up."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from hive import clock
from hive.database import transactional
from hive.errors import Forbidden
from hive.kinds import Source
from hive.models import Installation, WebSession
from hive.services import accounts, names, passwords, runtime
from hive.services.accounts import UserInfo
from hive.services.permissions import Actor
from hive.services.tries import Tries, network_of

_SEEN_EVERY = timedelta(minutes=1)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def log_in(name: str, password: str, *, address: str, user_agent: str) -> str | None:
    """The token of a new session, or None where name or password is wrong.

    Forbidden after too many wrong passwords, for the account or from the address.
    """
    account, network = name.casefold()[:150], network_of(address)
    settings = runtime.settings().web
    limits = (
        (_tries_by_account, account, settings.login_tries_per_account_per_day, timedelta(days=1)),
        (_tries_by_address, network, settings.login_tries_per_address_per_hour, timedelta(hours=1)),
    )
    for tries, who, limit, span in limits:
        if tries.are_used_up(who, limit, span):
            raise Forbidden("Too many wrong passwords. Try again later.")
    # Counted before the password is looked at: those sent all at once are limited as well.
    counted = [(tries, who, tries.count(who)) for tries, who, _, _ in limits]
    user = await accounts.authenticate(name, password)
    if user is None:
        return None
    for tries, who, at in counted:
        tries.forgive(who, at)
    return await open_session(user, address=address, user_agent=user_agent)


async def open_session(user: UserInfo, *, address: str, user_agent: str) -> str:
    """Open a browser session for a user who has proved who they are; returns its token."""
    token = secrets.token_urlsafe(32)
    await _store(user, token, address, user_agent)
    return token


@transactional
async def _store(user: UserInfo, token: str, address: str, user_agent: str) -> None:
    now = clock.now()
    await WebSession.filter(expires_at__lte=now).delete()  # nobody comes back to end those
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
    await require_open_setup(token)
    names.check_account(name, "user")
    hashed = await passwords.hash_password(password)
    return await _make_first_administrator(token, name, hashed, address)


@transactional
async def _make_first_administrator(
    token: str, name: str, password_hash: str, address: str
) -> UserInfo:
    # Once more, inside the transaction: of two who send the form at once, one is too late.
    await require_open_setup(token)
    actor = Actor(None, "set-up", is_admin=True, source=Source.WEB, address=address)
    user = await accounts.store_user(actor, name, password_hash=password_hash, is_admin=True)
    await Installation.all().update(setup_token_sha256=None)
    return user


async def require_open_setup(token: str) -> None:
    """Raise Forbidden unless this is the token of the running set-up."""
    if not await setup_is_open(token):
        raise Forbidden(
            "This set-up link is not valid: it was used already, or the server was started again"
            " since. As long as there is no administrator, the server prints a new one at each"
            " start."
        )


_tries_by_account = Tries()
_tries_by_address = Tries()


def forget_tries() -> None:
    """Start counting afresh; for a new server in the same process, as in tests."""
    _tries_by_account.forget()
    _tries_by_address.forget()
