"""What people change in their account in the browser."""

from __future__ import annotations

import functools
import zoneinfo
from functools import cache

from hive import tokens
from hive.database import transactional
from hive.errors import InvalidInput
from hive.kinds import Language, Theme
from hive.models import User
from hive.services import audit, versions
from hive.services.accounts import (
    attempt_limits,
    passwords,
    reset_tokens,
    users,
)
from hive.services.accounts.users import ChangeUser, UserInfo
from hive.services.permissions import Actor, own_id
from hive.services.versions import LOOK, Version


@cache
def time_zones() -> tuple[str, ...]:
    """The names of the zones that can be chosen."""
    return tuple(
        sorted(
            name
            for name in zoneinfo.available_timezones()
            if name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/")))
        )
    )


def _time_zone(name: str) -> str | None:
    if name == "":
        return None
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "There is no time zone %(name)r. Time zones have names such as Europe/Berlin.",
            field="timezone",
            name=name[:60],
        ) from None
    return name


def _language(text: str) -> Language | None:
    try:
        return Language(text) if text else None
    except ValueError:
        known = ", ".join(Language)
        raise InvalidInput("The languages are: %(known)s.", field="language", known=known) from None


def _theme(text: str) -> Theme:
    try:
        return Theme(text)
    except ValueError:
        raise InvalidInput(
            "The themes are: %(theme)s.", field="theme", theme=", ".join(Theme)
        ) from None


async def set_preferences(
    actor: Actor, *, timezone: str, language: str, theme: str, version: Version | None = None
) -> UserInfo:
    """Store time zone and language (empty: as the browser has them) and theme.

    `version` is what the actor saw: Changed where it is another one by now.
    """
    store = functools.partial(
        _store_preferences, actor, _time_zone(timezone), _language(language), _theme(theme)
    )
    await versions.holding(own_id(actor), version, store)
    return await users.get_user(actor, own_id(actor))


async def learn_time_zone(actor: Actor, name: str) -> None:
    """Keep the time zone of the browser for who has none: messages and quiet hours need one."""
    if name not in time_zones() or await _has_time_zone(actor):
        return
    await _store_time_zone(actor, name)


async def _has_time_zone(actor: Actor) -> bool:
    return await User.filter(id=own_id(actor)).exclude(timezone=None).exists()


@transactional
async def _store_time_zone(actor: Actor, name: str) -> None:
    if await User.filter(id=own_id(actor), timezone=None).update(timezone=name):
        await audit.record(actor, "user.timezone", f"user {actor.name}", timezone=name)


@transactional
async def _store_preferences(
    actor: Actor, timezone: str | None, language: Language | None, theme: Theme
) -> None:
    user = await User.get(id=own_id(actor))
    before = audit.values_of(user, *LOOK)
    user.timezone, user.language, user.theme = timezone, language, theme
    await user.save(update_fields=LOOK)
    changed = audit.changes(before, audit.values_of(user, *LOOK))
    await audit.record(actor, "user.preferences", f"user {actor.name}", **changed)


async def require_password(actor: Actor, password: str) -> None:
    """Make sure that it is the person who sits there; InvalidInput where the password is wrong."""
    attempt = attempt_limits.limits().confirmations.attempt_own(
        attempt_limits.codes_account(own_id(actor))
    )
    user = await User.get_or_none(id=own_id(actor))
    if not await passwords.verify(password, user.password_hash if user else None):
        raise InvalidInput("This is not your password.", field="password")
    attempt.forgive()


async def change_password(
    actor: Actor,
    old: str,
    new: str,
    *,
    session: str | None,
    browser: str | None = None,
    forget_browsers: bool = True,
) -> None:
    """Store a new password; all browser sessions end but the one whose token is `session`.

    `forget_browsers`: browsers other than `browser` are no longer known.
    """
    await require_password(actor, old)
    try:
        hashed = await passwords.hash_password(new)
    except InvalidInput as error:
        raise InvalidInput(error.message, field="new") from None
    await users.store_password(
        actor,
        own_id(actor),
        hashed,
        keep=tokens.digest(session) if session else None,
        forget_browsers=forget_browsers,
        keep_browser=browser,
    )


async def set_email(actor: Actor, email: str, password: str) -> None:
    """Change the address that links for a new password go to."""
    await require_password(actor, password)
    await _store_email(actor, email)


@transactional
async def _store_email(actor: Actor, email: str) -> None:
    await users.set_user(actor, own_id(actor), ChangeUser(email=email))
    await reset_tokens.withdraw(own_id(actor))  # they went to the old address
