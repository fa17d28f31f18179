"""The first administrator: made with a link that the server prints while there is none."""

from __future__ import annotations

import asyncio
import secrets

from hive import tokens
from hive.config import values
from hive.database import transactional
from hive.errors import Forbidden, InvalidInput
from hive.kinds import Role, Source
from hive.models import Installation
from hive.services import names, runtime
from hive.services.accounts import passwords, users
from hive.services.accounts.users import UserInfo
from hive.services.permissions import Actor


@transactional
async def new_setup_token() -> str | None:
    """A fresh one-time token for the set-up page while there is no administrator, else None."""
    if await users.administrator_exists():
        return None
    token = tokens.new()
    await Installation.all().update(setup_token_sha256=tokens.digest(token))
    return token


async def setup_is_open(token: str) -> bool:
    """Whether this is the token of the running set-up."""
    installation = await Installation.first()
    stored = installation.setup_token_sha256 if installation else None
    if stored is None or await users.administrator_exists():
        return False
    return secrets.compare_digest(stored, tokens.digest(token))


async def complete_setup(
    token: str, name: str, password: str, *, address: str, public_url: str = ""
) -> UserInfo:
    """Make the first administrator; the token works once.

    public_url  what links in messages begin with; empty where that is not known yet
    """
    await require_open_setup(token)
    names.check_account(name, "user")
    url = _checked_url(public_url.strip())
    hashed = await passwords.hash_password(password)
    made = await _make_first_administrator(token, name, hashed, address)
    if url is not None:
        await asyncio.to_thread(runtime.store_public_url, url)
    return made


def asks_for_public_url() -> bool:
    """Whether the set-up page asks for it: the settings do not say."""
    return runtime.settings().web.public_url is None


def _checked_url(text: str) -> str | None:
    if not text or not asks_for_public_url():
        return None
    try:
        return values.public_url(text)
    except ValueError as error:
        raise InvalidInput(
            "Write an address like https://hive.example.org, without a path.", field="public_url"
        ) from error


@transactional
async def _make_first_administrator(
    token: str, name: str, password_hash: str, address: str
) -> UserInfo:
    # Once more, inside the transaction: of two who send the form at once, one is too late.
    await require_open_setup(token)
    actor = Actor(None, "set-up", role=Role.ADMINISTRATOR, source=Source.WEB, address=address)
    user = await users.store_user(actor, name, password_hash=password_hash, role=Role.ADMINISTRATOR)
    await Installation.all().update(setup_token_sha256=None)
    return user


async def require_open_setup(token: str) -> None:
    """Raise Forbidden unless this is the token of the running set-up."""
    if not await setup_is_open(token):
        raise Forbidden(
            "This set-up link is not valid: it was used already, or a newer one was printed. As"
            " long as there is no administrator, the server prints a new one at each start, and"
            " so does `hive setup-link`."
        )
