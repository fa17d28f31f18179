"""Test messages: on demand, and by themselves when a channel was added or changed."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hive import clock
from hive.errors import DeliveryFailed
from hive.kinds import Severity
from hive.models import User
from hive.sentences import say
from hive.services import runtime
from hive.services.delivery import failing
from hive.services.notifications import channels
from hive.services.outbox import condition, recipients, sending
from hive.services.outbox.kinds import TEST
from hive.services.permissions import Actor
from hive.services.secrets import settings_of

if TYPE_CHECKING:
    from hive.notify.channel import Means

_SECONDS = 60.0  # somebody waits for the answer


@dataclass(frozen=True)
class Trial:
    """What came of a test message; `address` is a private one that nobody allowed."""

    arrived: bool
    answer: str
    address: str | None = None

    @property
    def words(self) -> str:
        if self.arrived:
            return say("A test message was sent; the answer: %(answer)s", answer=self.answer)
        return say("Nothing can be sent by this channel: %(answer)s", answer=self.answer)


async def after_saving(actor: Actor, channel_id: int) -> Trial | None:
    """Try a channel that was just added or changed; None where it is disabled."""
    if not (await channels.find_by_id(actor, channel_id)).enabled:
        return None
    try:
        return Trial(True, await test_now(actor, channel_id))
    except DeliveryFailed as error:
        return Trial(False, error.message, error.address)


async def test_now(actor: Actor, channel_id: int) -> str:
    """`test`, with what sending needs opened for this message alone."""
    async with sending.opened_means() as means:
        return await test(actor, channel_id, means)


def _where_to_look() -> list[str]:
    """Without the address of the pages, messages have no link: which server it is, and why."""
    if runtime.public_url() is not None:
        return []
    words = say(
        "It comes from Borg Hive on the server %(host)s. Messages have no links until"
        " web.public_url is set in its configuration.",
        host=runtime.host_name(),
    )
    return ["", words]


async def test(actor: Actor, channel_id: int, means: Means) -> str:
    """Send a message of no weight now, and return what the other side answered; DeliveryFailed.

    Where it arrives, all that waits for the channel is sent at once.
    """
    row = await channels.changeable(actor, channel_id)
    reader = recipients.reader_of(await User.get(id=row.owner_id))
    message = sending.message(
        id=f"test-{secrets.token_hex(8)}",
        event_id=None,
        kind=TEST,
        severity=Severity.INFO,
        title=reader.title(say("Borg Hive: this is a test")),
        text=reader.text(
            [
                say(
                    "The channel %(channel)s works. %(user)s asked for this message.",
                    channel=row.name,
                    user=actor.name,
                ),
                *_where_to_look(),
            ]
        ),
        url=runtime.public_url(),
        repository=None,
        repository_id=None,
        owner=None,
        at=clock.now(),
    )
    lane = row.id, 0
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await sending.send(row.kind, settings_of(row), message, means)
    except sending.CHANNEL_ERRORS as error:
        failure = sending.explained(error)
        await condition.note_fails(
            lane,
            failure.message,
            is_permanent=failure.permanent and failure.address is None,
            retry_after=failure.retry_after,
            address=failure.address,
        )
        await failing.report(lane)
        raise failure from None
    await condition.note_works(lane)
    await failing.report(lane)
    return answer
