"""Matrix (https://spec.matrix.org/latest/client-server-api/#sending-events-to-a-room)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pydantic import Field

from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import (
    ServerAddress,
    Token,
    bounded_wait,
    entry,
    host_of,
    judge,
    post_json,
    words,
)
from hive.notify.message import MARKS, Message, as_html, bytes_of, cut, one_line, plain
from hive.sentences import say

# an event may have 65,536 bytes: both forms of the text, HTML up to six times as long
_MOST = 6_000


class MatrixSettings(ChannelSettings):
    server: ServerAddress = Field(
        title=say("Home server"),
        description=say("The address of the home server, for example https://matrix.example.org."),
    )
    room: str = Field(
        title=say("Room"),
        description=say(
            "The internal ID of the room, which begins with an exclamation mark: "
            "!abc:example.org. The account must have joined it, and it must not be encrypted."
        ),
        pattern=r"^![!-~]{1,254}$",
    )
    token: Token = Field(
        title=say("Access token"), description=say("The access token of the account.")
    )


class Matrix(Channel[MatrixSettings]):
    kind = "matrix"
    title = "Matrix"
    settings_model = MatrixSettings
    is_idempotent = True  # by the transaction's id

    @classmethod
    def describe(cls, settings: MatrixSettings) -> str:
        return f"Matrix to {settings.room} at {host_of(settings.server)}"

    @classmethod
    async def deliver(cls, settings: MatrixSettings, message: Message, means: Means) -> str:
        head = f"{MARKS[message.severity]} {one_line(message.title)}"
        short = _shortened(message)
        sent: dict[str, Any] = {
            "msgtype": "m.text",  # not m.notice, which makes no sound
            "body": f"{cut(head, 250)}\n\n{plain(short)}",
            "format": "org.matrix.custom.html",
            "formatted_body": f"{MARKS[message.severity]} {as_html(short)}",
            "m.mentions": {},
        }
        room, transaction = quote(settings.room, safe=""), quote(message.id, safe="")
        answer = await post_json(
            means,
            f"{settings.server}/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}",
            sent,
            method="PUT",
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
        )
        said = words(entry(answer, "event_id" if answer.ok else "error"))
        milliseconds = entry(answer, "retry_after_ms")
        wait = bounded_wait(milliseconds / 1000 if isinstance(milliseconds, int) else None)
        return judge(answer, "Matrix", said=said, retry_after=wait)


def _shortened(message: Message) -> Message:
    return replace(
        message,
        title=cut(one_line(message.title), 250),
        text=cut(message.text, _MOST, bytes_of),
    )
