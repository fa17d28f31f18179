"""Tell people that somebody tries passwords on their account: once for each incident."""

from __future__ import annotations

from hive import clock, log
from hive.background import spawn
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.kinds import Role, Severity, Source
from hive.models import User
from hive.sentences import say
from hive.services import audit
from hive.services.accounts import attempt_limits
from hive.services.outbox import outbox, recipients
from hive.services.outbox.kinds import MANY_WRONG_LOGINS, Matter
from hive.services.outbox.outbox import Notice
from hive.services.permissions import Actor

logger = log.get(__name__)


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
    stranger = Actor(None, "somebody", role=Role.MEMBER, source=Source.WEB, address=address)
    await audit.record(stranger, "user.login.guessed", f"user {user.name}")
    notice = Notice(
        f"{MANY_WRONG_LOGINS}:{clock.now().isoformat()}",
        Matter(MANY_WRONG_LOGINS, Severity.WARNING),
        say("Many wrong passwords for your account"),
        [
            say(
                "There were %(count)s or more wrong passwords or codes for your account %(name)s"
                " within a day, the last from %(address)s. Your account is not locked: the right"
                " password still works, only more slowly from browsers that you have not used"
                " before.",
                count=attempt_limits.limits().passwords.number(user.name)
                or attempt_limits.limits().codes.number(attempt_limits.codes_account(user.id)),
                name=user.name,
                address=address,
            ),
            "",
            say(
                "If it was not you, someone is guessing. A second factor protects your "
                "account even if they guess right. Choose a new password if yours is "
                "short or used elsewhere."
            ),
        ],
    )
    await outbox.tell(await recipients.load({user.id}), notice)
