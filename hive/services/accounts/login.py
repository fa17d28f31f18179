"""Logging in with a browser: the password, then the second factor where there is one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hive import clock, memory, tokens
from hive.database import transactional
from hive.kinds import Source
from hive.services import audit
from hive.services.accounts import (
    attempt_limits,
    browser_sessions,
    known_browsers,
    login_warnings,
    passkeys,
    second_factor,
    users,
)
from hive.services.accounts.passkeys import RelyingParty
from hive.services.accounts.second_factor import Factors
from hive.services.accounts.users import UserInfo
from hive.services.permissions import Actor

LIFE = timedelta(minutes=5)
_MAX_WAITING = 1000
_MAX_WAITING_OF_ONE = 10


@dataclass(frozen=True)
class Visitor:
    """From where and with what somebody comes."""

    address: str
    user_agent: str
    browser: str | None = None  # the token by which browsers that logged in before are known


@dataclass(frozen=True)
class LoggedIn:
    """The token of a new session, and the one by which the browser is known from now on."""

    token: str
    browser: str


@dataclass(frozen=True)
class SecondStep:
    """The password was right; `token` names the login that waits for the second factor."""

    token: str


@dataclass(frozen=True)
class _Waiting:
    user_id: int
    password_mark: str
    until: datetime


# A login between its two steps is no session: it opens nothing, and a restart forgets it.
@dataclass
class _Memory:
    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)


async def begin(name: str, password: str, visitor: Visitor) -> LoggedIn | SecondStep | None:
    """The first step; None where name or password is wrong, Forbidden after too many of those."""
    browser = await known_browsers.recognise(name, visitor.browser)
    attempt = attempt_limits.limits().passwords.attempt(name, visitor.address, browser)
    await attempt_limits.slow_down(attempt)
    user = await users.authenticate(name, password)
    if user is None:
        login_warnings.note(name, attempt, visitor.address)
        return None
    attempt.forgive()
    if not (await second_factor.factors_of(user.id)).is_on:
        return await _open(user, visitor)
    token = tokens.new()
    memory.of(_Memory).waiting[token] = _Waiting(
        user.id, await users.password_mark(user.id), clock.now() + LIFE
    )
    _forget_the_oldest(user.id)
    return SecondStep(token)


def _forget_the_oldest(user_id: int) -> None:
    """Who begins again and again pushes nobody else's login out."""
    waiting_logins = memory.of(_Memory).waiting
    own = [token for token, waiting in waiting_logins.items() if waiting.user_id == user_id]
    for token in own[:-_MAX_WAITING_OF_ONE]:
        del waiting_logins[token]
    while len(waiting_logins) > _MAX_WAITING:
        waiting_logins.popitem(last=False)


async def factors(token: str) -> Factors | None:
    """What may be the second step of this login; None where no login waits by that token."""
    user = await _user_of(token)
    return await second_factor.factors_of(user.id) if user is not None else None


async def passkey_options(token: str, party: RelyingParty) -> dict[str, Any] | None:
    user = await _user_of(token)
    return await passkeys.second_options(user.id, token, party) if user is not None else None


async def finish_with_code(token: str, code: str, visitor: Visitor) -> LoggedIn | None:
    """The second step by a code of the app; None where it is wrong or used already."""

    async def prove(user: UserInfo) -> bool:
        return await second_factor.take_totp_code(user.id, code)

    return await _finish_with_typed(token, visitor, "code", prove)


async def finish_with_recovery_code(token: str, code: str, visitor: Visitor) -> LoggedIn | None:
    async def prove(user: UserInfo) -> bool:
        return await second_factor.take_recovery_code(_actor(user, visitor), code)

    return await _finish_with_typed(token, visitor, "recovery code", prove)


async def finish_with_passkey(
    token: str, party: RelyingParty, response: str, visitor: Visitor
) -> LoggedIn | None:
    """The second step by a passkey. Nobody can guess those, so they are not counted."""
    user = await _user_of(token)
    if user is None:
        return None
    if not await passkeys.take_second(user.id, token, party, response, address=visitor.address):
        await _note_refusal(_actor(user, visitor), "passkey")
        return None
    return await _finish(token, user, visitor)


async def log_in_with_passkey(
    party: RelyingParty, response: str, visitor: Visitor
) -> LoggedIn | None:
    """Both steps at once, by a passkey that knows its person."""
    user_id = await passkeys.take_login(party, response, address=visitor.address)
    user = await users.enabled_user(user_id) if user_id is not None else None
    return await _open(user, visitor) if user is not None else None


async def _finish_with_typed(
    token: str, visitor: Visitor, what: str, prove: Callable[[UserInfo], Awaitable[bool]]
) -> LoggedIn | None:
    user = await _user_of(token)
    if user is None:
        return None
    browser = await known_browsers.is_known(user.id, visitor.browser)
    attempt = attempt_limits.limits().codes.attempt(
        attempt_limits.codes_account(user.id), visitor.address, browser
    )
    await attempt_limits.slow_down(attempt)
    if not await prove(user):
        login_warnings.note(user.name, attempt, visitor.address)
        await _note_refusal(_actor(user, visitor), what)
        return None
    attempt.forgive()
    return await _finish(token, user, visitor)


async def _finish(token: str, user: UserInfo, visitor: Visitor) -> LoggedIn | None:
    # Of two who finish the same login at once, one is too late.
    waiting = memory.of(_Memory).waiting.pop(token, None)
    return await _open(user, visitor) if waiting is not None else None


async def _open(user: UserInfo, visitor: Visitor) -> LoggedIn:
    token = await browser_sessions.open_session(
        user, address=visitor.address, user_agent=visitor.user_agent
    )
    return LoggedIn(token, await known_browsers.remember(user.id, visitor.browser))


async def _user_of(token: str) -> UserInfo | None:
    """Who waits by this token; nobody after its time, a new password or being disabled."""
    waiting = memory.of(_Memory).waiting.get(token)
    if waiting is None:
        return None
    user = await users.enabled_user(waiting.user_id)
    if (
        user is None
        or waiting.until <= clock.now()
        or waiting.password_mark != await users.password_mark(user.id)
    ):
        memory.of(_Memory).waiting.pop(token, None)
        return None
    return user


@transactional
async def _note_refusal(actor: Actor, what: str) -> None:
    """The password was right and the rest was not: the owner may want to know."""
    await audit.record(actor, "user.second_factor.wrong", f"user {actor.name}", by=what)


def _actor(user: UserInfo, visitor: Visitor) -> Actor:
    return user.actor(Source.WEB, visitor.address)
