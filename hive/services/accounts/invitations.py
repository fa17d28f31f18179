"""Invitations: a week in which somebody new chooses a password, by mail or by a link to pass on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock, tokens
from hive.database import transactional
from hive.errors import Conflict, NotFound
from hive.models import Invitation, User
from hive.sentences import say
from hive.services import audit, runtime
from hive.services.accounts import mail, password_resets
from hive.services.outbox import recipients
from hive.services.permissions import Actor, require_admin, require_sight

LIFE = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Invited:
    """`url` is to be shown once, where it was not mailed."""

    user: str
    expires_at: datetime
    mailed_to: str | None
    url: str | None


@dataclass(frozen=True, kw_only=True)
class InvitationInfo:
    """An invitation that nobody has followed yet."""

    user_id: int
    user: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    mailed_to: str | None

    @property
    def is_over(self) -> bool:
        return self.expires_at <= clock.now()


async def invite(actor: Actor, user_id: int) -> Invited:
    """Invite a user, once more where that was done before; the former link is worthless then.

    The mail is sent now: DeliveryFailed where the server does not take it, and the invitation is
    there all the same. Without mail the link is returned.
    """
    require_admin(actor)
    user = await _invitable(user_id)
    is_mailed = bool(user.email) and password_resets.mail_is_possible()
    token, expires_at = await _issue(actor, user_id, user.email if is_mailed else None)
    url = f"{runtime.base_url()}/reset/{token}"
    if is_mailed and user.email:
        await mail.send(_mail(user, user.email, url, actor.name))
        return Invited(user=user.name, expires_at=expires_at, mailed_to=user.email, url=None)
    return Invited(user=user.name, expires_at=expires_at, mailed_to=None, url=url)


async def _invitable(user_id: int) -> User:
    user = await User.get_or_none(id=user_id)
    if user is None:
        raise NotFound("There is no such user.")
    if not user.enabled:
        raise Conflict("%(name)s is disabled: enable the account first.", name=user.name)
    return user


@transactional
async def _issue(actor: Actor, user_id: int, mailed_to: str | None) -> tuple[str, datetime]:
    user = await _invitable(user_id)
    await Invitation.filter(user_id=user_id).delete()
    token, now = tokens.new(), clock.now()
    row = await Invitation.create(
        user_id=user_id,
        token_sha256=tokens.digest(token),
        created_at=now,
        created_by=actor.name,
        expires_at=now + LIFE,
        mailed_to=mailed_to,
    )
    await audit.record(actor, "user.invite", f"user {user.name}", mailed_to=mailed_to)
    return token, row.expires_at


def _mail(user: User, address: str, url: str, by: str) -> mail.Mail:
    reader = recipients.reader_of(user)
    lines = [
        say("Hello %(name)s,", name=user.name),
        "",
        say(
            "%(by)s invites you to Borg Hive at %(address)s, where backups are stored and watched.",
            by=by,
            address=runtime.base_url(),
        ),
        "",
        say("Your user name is %(name)s. To choose a password, open this link:", name=user.name),
        "",
        f"    {url}",
        "",
        say("The link works once, within a week."),
    ]
    title = reader.title(say("An invitation to Borg Hive"))
    return mail.Mail(address, title, reader.text(lines))


async def list_open(actor: Actor) -> list[InvitationInfo]:
    """Those that nobody has followed, also where their time is over; the oldest first."""
    require_sight(actor)
    rows = await Invitation.all().order_by("created_at", "id").select_related("user")
    return [
        InvitationInfo(
            user_id=row.user_id,
            user=row.user.name,
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            mailed_to=row.mailed_to,
        )
        for row in rows
    ]


@transactional
async def revoke(actor: Actor, user_id: int) -> str:
    """Make the link of an invitation worthless; the account stays. The name of its user."""
    require_admin(actor)
    row = await Invitation.get_or_none(user_id=user_id).select_related("user")
    if row is None:
        raise NotFound("There is no such invitation.")
    await row.delete()
    await audit.record(actor, "user.invite.revoke", f"user {row.user.name}")
    return str(row.user.name)
