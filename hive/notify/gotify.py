"""Gotify (https://gotify.net/docs/pushmsg)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hive.kinds import Severity
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import ServerAddress, Token, entry, host_of, judge, post_json, words
from hive.notify.message import Message, cut, one_line
from hive.sentences import say

_PRIORITIES = {
    Severity.INFO: 2,
    Severity.WARNING: 6,
    Severity.CRITICAL: 9,
    Severity.RECOVERY: 5,
}
# Gotify has no limit itself; nobody reads more on a phone
_MOST = 16_000


class GotifySettings(ChannelSettings):
    server: ServerAddress = Field(
        title=say("Server"),
        description=say(
            "The address of the Gotify server, for example https://gotify.example.org."
        ),
    )
    token: Token = Field(
        title=say("Application token"), description=say("The token of an application.")
    )


class Gotify(Channel[GotifySettings]):
    kind = "gotify"
    title = "Gotify"
    settings_model = GotifySettings

    @classmethod
    def describe(cls, settings: GotifySettings) -> str:
        return f"Gotify at {host_of(settings.server)}"

    @classmethod
    async def deliver(cls, settings: GotifySettings, message: Message, means: Means) -> str:
        extras: dict[str, Any] = {"client::display": {"contentType": "text/plain"}}
        if message.url is not None:
            extras["client::notification"] = {"click": {"url": message.url}}
        answer = await post_json(
            means,
            f"{settings.server}/message",
            {
                "title": cut(one_line(message.title), 250),
                "message": cut(message.text, _MOST) or one_line(message.title),
                "priority": _PRIORITIES[message.severity],
                "extras": extras,
            },
            # a header, as a token in the URL would end in logs
            headers={"X-Gotify-Key": settings.token.get_secret_value()},
        )
        said = (
            f"id {entry(answer, 'id')}" if answer.ok else words(entry(answer, "errorDescription"))
        )
        return judge(answer, "Gotify", said=said)
