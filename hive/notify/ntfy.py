"""ntfy, hosted or self-hosted (https://docs.ntfy.sh/publish/#publish-as-json)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hive.kinds import Severity
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import ServerAddress, Token, entry, host_of, judge, post_json, words
from hive.notify.message import Message, bytes_of, cut, one_line
from hive.sentences import say

_MOST_ACTIONS = 3
_PRIORITIES = {
    Severity.INFO: 2,
    Severity.WARNING: 4,
    Severity.CRITICAL: 5,
    Severity.RECOVERY: 3,
}
_TAGS = {
    Severity.INFO: "information_source",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "rotating_light",
    Severity.RECOVERY: "white_check_mark",
}


class NtfySettings(ChannelSettings):
    server: ServerAddress = Field(
        "https://ntfy.sh", title=say("Server"), description=say("The address of the ntfy server.")
    )
    topic: str = Field(
        title=say("Topic"),
        description=say(
            "1 to 64 letters, digits, hyphens and underscores. On a public server, "
            "anyone who knows the topic can read the messages."
        ),
        pattern="^[A-Za-z0-9_-]{1,64}$",
    )
    token: Token | None = Field(
        None,
        title=say("Access token"),
        description=say("A token that may publish to the topic, if the server requires one."),
    )


class Ntfy(Channel[NtfySettings]):
    kind = "ntfy"
    title = "ntfy"
    settings_model = NtfySettings

    @classmethod
    def describe(cls, settings: NtfySettings) -> str:
        return f"ntfy at {host_of(settings.server)}"

    @classmethod
    async def deliver(cls, settings: NtfySettings, message: Message, means: Means) -> str:
        sent: dict[str, Any] = {
            "topic": settings.topic,
            "title": cut(one_line(message.title), 250),
            # beyond that, ntfy makes a file of it
            "message": cut(message.text, 4096, bytes_of),
            "priority": _PRIORITIES[message.severity],
            "tags": [_TAGS[message.severity]],
        }
        if message.url is not None:
            sent["click"] = message.url
        if message.buttons:
            sent["actions"] = [
                {"action": "view", "label": one.label, "url": one.url}
                for one in message.buttons[:_MOST_ACTIONS]
            ]
        headers = {}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        answer = await post_json(means, settings.server, sent, headers=headers)
        said = f"id {entry(answer, 'id')}" if answer.ok else words(entry(answer, "error"))
        return judge(answer, "ntfy", said=said)
