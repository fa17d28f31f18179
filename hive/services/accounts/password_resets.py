"""A new password for who forgot theirs: a link by mail."""

from __future__ import annotations

from tortoise.expressions import Q

from hive import log
from hive.background import spawn
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import Forbidden, HiveError
from hive.kinds import Role, Source
from hive.models import User
from hive.sentences import say
from hive.services import audit, runtime
from hive.services.accounts import (
    attempt_limits,
    known_browsers,
    mail,
    passwords,
    reset_tokens,
)
from hive.services.accounts import (
    users as accounts,
)
from hive.services.outbox import recipients
from hive.services.permissions import Actor

logger = log.get(__name__)

_MAX_ACCOUNTS = 5  # of one e-mail address


def mail_is_possible() -> bool:
    """Mail is sent, and it is known what a link to us looks like: a visitor's word is not taken."""
    return mail.is_configured() and runtime.public_url() is not None


def request_by_mail(who: str, *, address: str) -> None:
    """Mail a link to the user of this name or e-mail address, if there is one.

    It happens in the background, so that nobody can tell from answer or time whether there is.
    Forbidden after too many requests from the address.
    """
    attempt_limits.count_reset_request(address)
    known_as = who.strip()[:254]
    if known_as.isprintable():  # not every database takes every text
        spawn(_mail_links(known_as, address), name="mail a link for a new password")


async def _mail_links(who: str, address: str) -> None:
    try:
        users = User.filter(Q(name=who) | Q(email__iexact=who), enabled=True)
        for user in await users.order_by("id").limit(_MAX_ACCOUNTS):
            if user.email and attempt_limits.may_mail_reset(str(user.id)):
                await _mail_link(user, user.email, address)
    except (HiveError, DriverError, OSError) as error:
        logger.error("a link for a new password could not be mailed", reason=str(error))


async def _mail_link(user: User, email: str, address: str) -> None:
    token = await _issue(user, address)
    base = runtime.base_url()
    reader = recipients.reader_of(user)
    lines = [
        say("Hello %(name)s,", name=user.name),
        "",
        say(
            "someone, probably you, asked for a new password for your account "
            "%(name)s at %(address)s.",
            name=user.name,
            address=base,
        ),
        "",
        say("To choose it, open this link within an hour:"),
        "",
        f"    {base}/reset/{token}",
        "",
        say(
            "The link works once. If you did not ask for it, do nothing: your password stays as"
            " it is."
        ),
    ]
    title = reader.title(say("A new password for Borg Hive"))
    await mail.send(mail.Mail(email, title, reader.text(lines)))


@transactional
async def _issue(user: User, address: str) -> str:
    token, _ = await reset_tokens.issue(user.id)
    stranger = Actor(None, "somebody", role=Role.MEMBER, source=Source.WEB, address=address)
    await audit.record(stranger, "user.reset.mail", f"user {user.name}")
    return token


async def name_of(token: str) -> str:
    """The name of the user whom this link is for; Forbidden where it is not good."""
    return (await _user_of(token)).name


async def _user_of(token: str) -> User:
    user = await reset_tokens.user_of(token)
    if user is None:
        raise Forbidden(
            "This link is not valid: it was used already, or its time is over. Ask for a new one."
        )
    return user


async def complete(token: str, password: str, *, address: str) -> str:
    """Store the new password; the link is used up, and the user's browser sessions end.

    Returns the token by which this browser is known from now on.
    """
    await _user_of(token)
    hashed = await passwords.hash_password(password)
    return await _complete(token, hashed, address)


@transactional
async def _complete(token: str, password_hash: str, address: str) -> str:
    # Once more, inside the transaction: of two who send the form at once, one is too late.
    user = await _user_of(token)
    actor = Actor(user.id, user.name, role=Role.MEMBER, source=Source.WEB, address=address)
    await audit.record(actor, "user.reset.used", f"user {user.name}")
    await accounts.store_password(actor, user.id, password_hash)
    return await known_browsers.remember(user.id, None)
