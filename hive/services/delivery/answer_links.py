"""Links in messages: a signed word on what may be done about one delivery, and until when.

Nothing is stored when a link is made: its signature proves it, with a key of the key file. Only
its use is stored, since it works once (hive/services/notifications/answers.py). A link never
offers anything that deletes or enables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from hive import clock
from hive.errors import Sealed, StorageError
from hive.kinds import EventKind, Language, Level, Source
from hive.models import Channel, Delivery, Repository
from hive.notify.message import Button
from hive.sentences import say
from hive.services import runtime, secrets
from hive.services.outbox.routing import OWN_MAIL
from hive.services.permissions import Actor, level_on
from hive.translation import translate

PURPOSE = "links in messages"
_TOKEN = re.compile(r"([amu])\.([0-9]{1,18})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")
_MISSING = (str(EventKind.LATE), str(EventKind.DOWN), str(EventKind.STILL_DOWN))
# Channels that show links well, and that nobody but their readers reads.
_SHOWN_BY = ("email", "slack", "teams", "telegram", "mattermost", "matrix", "ntfy")


class LinkAction(StrEnum):
    """What a link is for; stored when it was used."""

    ACKNOWLEDGE = "acknowledge"
    MUTE = "mute"
    UNSUBSCRIBE = "unsubscribe"


_LETTERS = {"a": LinkAction.ACKNOWLEDGE, "m": LinkAction.MUTE, "u": LinkAction.UNSUBSCRIBE}
_GOOD_FOR = {
    LinkAction.ACKNOWLEDGE: timedelta(days=3),
    LinkAction.MUTE: timedelta(days=3),
    LinkAction.UNSUBSCRIBE: timedelta(days=90),
}
BUTTONS = {
    LinkAction.ACKNOWLEDGE: say("Acknowledge"),
    LinkAction.MUTE: say("Mute for a day"),
    LinkAction.UNSUBSCRIBE: say("Stop these mails"),
}
_ANSWERS = (LinkAction.ACKNOWLEDGE, LinkAction.MUTE)


@dataclass(frozen=True)
class Links:
    buttons: tuple[Button, ...] = ()
    unsubscribe_url: str | None = None


@dataclass(frozen=True)
class SignedLink:
    """What a genuine link says."""

    action: LinkAction
    delivery_id: int
    expires_at: datetime


async def of(row: Delivery, settings: Mapping[str, Any]) -> Links:
    """What the message of a delivery offers its reader; nothing where links lead nowhere."""
    if runtime.public_url() is None or not await _is_personal(row):
        return Links()
    try:
        answers = _ANSWERS if await _may_answer(row, settings) else ()
        language = row.notification.user.language or Language.ENGLISH
        buttons = [
            Button(translate(BUTTONS[action], language), await make(row, action))
            for action in answers
        ]
        is_mail = row.channel_kind in (OWN_MAIL, "email")
        stop = await make(row, LinkAction.UNSUBSCRIBE) if is_mail else None
    except (Sealed, StorageError):  # the key file is away: the message matters more
        return Links()
    return Links(tuple(buttons), stop)


async def _is_personal(row: Delivery) -> bool:
    """Whether the channel is the person's own: a link in it acts in their name."""
    if row.channel_id is None:
        return row.channel_kind == OWN_MAIL
    owner_id = row.notification.user_id
    return await Channel.filter(id=row.channel_id, owner_id=owner_id).exists()


async def _may_answer(row: Delivery, settings: Mapping[str, Any]) -> bool:
    told = row.notification
    if told.kind not in _MISSING or told.repository_id is None:
        return False
    if row.channel_kind not in (OWN_MAIL, *_SHOWN_BY):
        return False
    if row.channel_kind == "ntfy" and not settings.get("token"):
        return False  # everybody who knows the topic reads it
    repository = await Repository.get_or_none(id=told.repository_id, deleted_at=None)
    if repository is None:
        return False
    user = told.user
    actor = Actor(user.id, user.name, role=user.role, source=Source.WEB)
    return await level_on(actor, repository) >= Level.MANAGE


async def make(row: Delivery, action: LinkAction) -> str:
    """The link; the same each time that the message is sent."""
    letter = next(one for one, meant in _LETTERS.items() if meant == action)
    until = row.notification.at + _GOOD_FOR[action]
    word = f"{letter}.{row.id}.{int(until.timestamp())}"
    ring = await secrets.signing_ring()
    return f"{runtime.base_url()}/answer/{word}.{ring.sign(word, PURPOSE)}"


async def read(token: str) -> SignedLink | None:
    """What a link says; None where it is none of ours, or too old."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    letter, delivery_id, until, signature = found.groups()
    ring = await secrets.signing_ring()
    if not ring.is_signed(f"{letter}.{delivery_id}.{until}", signature, PURPOSE):
        return None
    expires_at = datetime.fromtimestamp(int(until), UTC)
    if expires_at <= clock.now():
        return None
    return SignedLink(_LETTERS[letter], int(delivery_id), expires_at)
