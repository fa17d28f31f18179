"""Tell people that somebody tries passwords on their account: once for each incident."""

from __future__ import annotations

from hive import clock, log
from hive.database import DriverError, spawn, transactional
from hive.errors import HiveError
from hive.kinds import Severity, Source
from hive.models import User
from hive.services import audit
from hive.services.accounts import attempt_limits
from hive.services.outbox import outbox, recipients
from hive.services.outbox.kinds import MANY_WRONG_LOGINS, Matter
from hive.services.outbox.outbox import Notice
from hive.services.permissions import Actor

logger = log.get(__name__)

_TEXT = """\
There were {number} or more wrong passwords or codes for your account {name} within a day, the
last from {address}. Your account is not locked: the right password still works, only more slowly
from browsers that you have not used before.

If it was not you, somebody is guessing. A second factor protects your account even from a right
guess. Choose a new password if yours is short or used elsewhere.
"""


def note(name: str, attempt: attempt_limits.Attempt, address: str) -> None:
    """A try was wrong: warn the owner, in the background, so that nobody can tell from the time."""
    if not attempt.is_suspicious:
        return
    if attempt_limits.is_new_incident(name):
        spawn(_warn(name.strip(), address), name="warn of wrong passwords")


async def _warn(name: str, address: str) -> None:
    try:
        await _store(name, address)
    except (HiveError, DriverError) as error:
        logger.error("a warning of wrong passwords could not be stored", reason=str(error))


@transactional
async def _store(name: str, address: str) -> None:
    user = await User.get_or_none(name__iexact=name) if name.isprintable() else None
    if user is None or not user.enabled:
        return
    logger.warning("many wrong passwords for an account", user=user.name, last=address)
    stranger = Actor(None, "somebody", is_admin=False, source=Source.WEB, address=address)
    await audit.record(stranger, "user.login.guessed", f"user {user.name}")
    notice = Notice(
        f"{MANY_WRONG_LOGINS}:{clock.rfc3339(clock.now())}",
        Matter(MANY_WRONG_LOGINS, Severity.WARNING),
        "Many wrong passwords for your account",
        _TEXT.format(
            number=attempt_limits.limits().passwords.number(user.name)
            or attempt_limits.limits().codes.number(attempt_limits.codes_account(user.id)),
            name=user.name,
            address=address,
        ),
    )
    await outbox.tell(await recipients.load({user.id}), notice)
