"""What people do by a link in a message, without a login: look at it, and press its one button.

Mail programs and scanners open links, so that opening one changes nothing. A link works once, as
the person whom its message was sent to, with the rights that they have now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hive import clock, memory
from hive.addresses import limit_group
from hive.database import transactional
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Digest, Health, Source
from hive.models import Delivery, Repository, UsedLink, User
from hive.sentences import say
from hive.services import audit
from hive.services.attempts import Tries
from hive.services.delivery import answer_links
from hive.services.delivery.answer_links import LinkAction
from hive.services.health import schedules
from hive.services.notifications import channels, preferences
from hive.services.outbox import recipients
from hive.services.outbox.kinds import DIGEST
from hive.services.outbox.routing import OWN_MAIL
from hive.services.outbox.texts import Reader
from hive.services.permissions import Actor

GUESSES_PER_MINUTE = 20  # of links that are none, from one address
_MINUTE = timedelta(minutes=1)
_MUTED_FOR = timedelta(days=1)


@dataclass
class _Memory:
    guesses: Tries = field(default_factory=Tries)


@dataclass(frozen=True, kw_only=True)
class LinkOffer:
    """What a link shows before its button is pressed; `reader` is whom it is for."""

    action: LinkAction
    recipient: str
    title: str  # of the message
    at: datetime
    what: str  # what the button does, in a sentence
    button: str
    expires_at: datetime
    reader: Reader
    repository: str | None = None
    health: Health | None = None  # as it is now
    last_backup_at: datetime | None = None


async def look(token: str, address: str) -> LinkOffer:
    """What a link offers. NotFound: it is none, or too old. Conflict: it was used."""
    action, row, expires_at = await _of(token, address)
    told = row.notification
    repository = (
        await Repository.get_or_none(id=told.repository_id, deleted_at=None)
        if action != LinkAction.UNSUBSCRIBE and told.repository_id is not None
        else None
    )
    return LinkOffer(
        action=action,
        recipient=told.user.name,
        title=told.title,
        at=told.at,
        what=_what(action, row),
        button=answer_links.BUTTONS[action],
        expires_at=expires_at,
        reader=recipients.reader_of(told.user),
        repository=repository.name if repository is not None else None,
        health=repository.health if repository is not None else None,
        last_backup_at=repository.last_backup_at if repository is not None else None,
    )


def _what(action: LinkAction, row: Delivery) -> str:
    if action == LinkAction.ACKNOWLEDGE:
        return say(
            "You know that the backup is missing: there are no more reminders until it has"
            " recovered."
        )
    if action == LinkAction.MUTE:
        return say(
            "Nobody is notified of the missing backup for a day. If it is still missing then, you"
            " are notified again."
        )
    if row.notification.kind == DIGEST:
        return say("You no longer receive digests. Alarms are still sent.")
    if row.channel_kind == OWN_MAIL:
        return say(
            "Nothing is mailed to your own address any more, alarms included. What would reach"
            " nobody then goes to the administrators."
        )
    return say(
        "The channel %(channel)s is disabled, for everybody who uses it.", channel=row.channel_name
    )


async def press(token: str, address: str) -> str:
    """Do what the link offers; what was done, in a sentence."""
    action, row, _ = await _of(token, address)
    return await _do(action, row, address)


async def _of(token: str, address: str) -> tuple[LinkAction, Delivery, datetime]:
    network, tries = limit_group(address), memory.of(_Memory).guesses
    if tries.are_used_up(network, GUESSES_PER_MINUTE, _MINUTE):
        raise Forbidden("Too many unknown links. Try again later.")
    link = await answer_links.read(token)
    if link is None:
        tries.count(network)
        raise NotFound("This link is not valid, or no longer.")
    row = await Delivery.get_or_none(id=link.delivery_id).select_related("notification__user")
    if row is None or not row.notification.user.enabled:
        raise NotFound("This link is not valid, or no longer.")
    if await UsedLink.filter(delivery_id=row.id, action=link.action).exists():
        raise Conflict("This link was used already: each works once.")
    return link.action, row, link.expires_at


@transactional
async def _do(action: LinkAction, row: Delivery, address: str) -> str:
    # Once more, inside the transaction: of two who press at once, one is too late.
    values = {"at": clock.now(), "address": address[:64]}
    _, is_first = await UsedLink.get_or_create(values, delivery_id=row.id, action=action)
    if not is_first:
        raise Conflict("This link was used already: each works once.")
    user = row.notification.user
    actor = Actor(user.id, user.name, role=user.role, source=Source.WEB, address=address)
    await audit.record(
        actor,
        f"link.{action}",
        f"notification {row.notification_id}",
        recipient=user.name,
        sent_by=_way(row, user),
        title=str(row.notification.title),
    )
    return await _act(action, row, actor)


def _way(row: Delivery, user: User) -> str:
    """By which way the link reached its recipient."""
    if row.channel_kind == OWN_MAIL:
        return f"mail to {user.email}"
    return f"{row.channel_kind} channel {row.channel_name}"


async def _act(action: LinkAction, row: Delivery, actor: Actor) -> str:
    told = row.notification
    if action == LinkAction.UNSUBSCRIBE:
        return await _unsubscribe(row, actor)
    if told.repository_id is None:
        raise NotFound("This link is not valid, or no longer.")
    if action == LinkAction.ACKNOWLEDGE:
        await schedules.acknowledge(actor, told.repository_id)
        return say("Acknowledged. Those who were notified of it are notified of that.")
    until = clock.now() + _MUTED_FOR
    await schedules.mute(actor, told.repository_id, until)
    return say("Muted until %(until)s.", until=until)


async def _unsubscribe(row: Delivery, actor: Actor) -> str:
    again = say("To receive them again, log in and change that under Notifications.")
    if row.notification.kind == DIGEST:
        await preferences.change(actor, actor.name, digest=Digest.NONE)
    elif row.channel_id is None:
        await preferences.change(actor, actor.name, is_mailed=False)
    else:
        await channels.change(actor, row.channel_id, enabled=False)
    return say("Done. %(again)s", again=again)
