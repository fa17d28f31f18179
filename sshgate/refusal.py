"""How a client learns that and why it is refused: in the protocol it speaks, if it speaks one.

borg 1 stops reading when the connection ends, so a line on stderr can be lost; borg 2 takes an end
without an answer for a bad line, and tries again and again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hive import log
from hive.borg import rest
from hive.borg.framing import REQUEST_LIMITS, MessageReader, ProtocolError
from hive.borg.request_filter import MOST_BEFORE_OPEN, RequestFilter
from hive.borg.rpc import Refusal, decode_call, refuse, refuse_number
from hive.driver_error import DriverError
from hive.errors import AccessRefused, HiveError
from hive.services.gate import refusals
from hive.services.gate.authentication import Identity
from sshgate.channel import GateChannel
from sshgate.command import Borg2Serve, BorgServe, Request
from sshgate.inbox import Inbox
from sshgate.relay import Relay

logger = log.get(__name__)

_SECONDS = 5.0  # for a client to speak first, and to take the answer


async def note(identity: Identity, peer: str, asked: str, refused: AccessRefused) -> None:
    """Keep that a session was refused, in the log and as an event."""
    logger.warning(
        "session refused",
        cause=str(refused.cause),
        reason=refused.message,
        fingerprint=identity.fingerprint,
        command=asked,
    )
    try:
        await refusals.record(
            identity.repository_id,
            refused.cause,
            refused.message,
            fingerprint=identity.fingerprint,
            peer=peer,
        )
    except (HiveError, DriverError) as error:
        logger.error("the refusal could not be recorded", reason=str(error))


def say(channel: GateChannel | None, message: str) -> None:
    """One line on the client's standard error."""
    if channel is not None:
        channel.write_stderr(f"borg-hive: {message}\n".encode("utf-8", "replace"))


async def tell(channel: GateChannel, inbox: Inbox, request: Request | None, message: str) -> None:
    """Tell the client of a channel that nothing runs on why its request was refused.

    `request` is None where the command was not understood.
    """
    reply = None
    if isinstance(request, BorgServe):
        reply = await _reply_to_first_call(channel, inbox, message)
    elif isinstance(request, Borg2Serve) and await inbox.wait(channel, _SECONDS):
        reply = rest.refusal(message)
    if reply is None or isinstance(request, Borg2Serve):
        say(channel, message)
    if reply is not None:
        channel.write(reply)
        inbox.take()
        await inbox.wait(channel, _SECONDS)  # the client leaves when it has read that


async def tell_in_place(
    channel: GateChannel, relay: Relay, requests: RequestFilter | None, request: Request, why: str
) -> None:
    """Tell the client of a program that ended before it said anything; answer for that program."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await relay.stirred.wait()
    if requests is not None and requests.first_number is not None:
        channel.write(refuse_number(requests.first_number, Refusal.ERROR, why))
        return
    say(channel, why)
    if isinstance(request, Borg2Serve):
        channel.write(rest.refusal(why))


async def _reply_to_first_call(channel: GateChannel, inbox: Inbox, message: str) -> bytes | None:
    """The refusal of a borg 1 client's first call, or None where none comes."""
    reader = MessageReader(REQUEST_LIMITS, largest=MOST_BEFORE_OPEN)
    with suppress(ProtocolError, TimeoutError):
        # In all: one that sends a byte now and then would hold this forever.
        async with asyncio.timeout(_SECONDS):
            while await inbox.wait(channel, _SECONDS):
                found, _ = reader.next_message(inbox.take(), 0)
                if found is not None:
                    return refuse(decode_call(found), Refusal.ERROR, message)
                if inbox.eof:
                    return None
    return None
