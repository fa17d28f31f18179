"""Discord (https://docs.discord.com/developers/resources/webhook#execute-webhook)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hive import clock
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import SecretAddress, bounded_wait, entry, host_of, judge, post_json, words
from hive.notify.markdown import escape
from hive.notify.message import COLORS, Message, cut, one_line
from hive.outgoing.client import parse_url
from hive.sentences import say


class DiscordSettings(ChannelSettings):
    url: SecretAddress = Field(
        title=say("Webhook URL"),
        description=say(
            "The URL of a channel's webhook, https://discord.com/api/webhooks/...; "
            "whoever knows it can post."
        ),
    )


class Discord(Channel[DiscordSettings]):
    kind = "discord"
    title = "Discord"
    settings_model = DiscordSettings

    @classmethod
    def describe(cls, settings: DiscordSettings) -> str:
        return f"Discord by {host_of(settings.url)}"

    @classmethod
    async def deliver(cls, settings: DiscordSettings, message: Message, means: Means) -> str:
        embed: dict[str, Any] = {
            "title": escape(one_line(message.title), 256),
            "description": escape(message.text, 4096),
            "color": COLORS[message.severity],
            "timestamp": clock.rfc3339(message.at),
        }
        if message.url is not None:
            embed["url"] = message.url
        if message.repository is not None:
            embed["footer"] = {"text": cut(one_line(message.repository), 2048)}
        # without `wait`, Discord says yes to what it then throws away
        url = parse_url(settings.url.get_secret_value()).update_query(wait="true")
        answer = await post_json(
            means,
            str(url),
            {"embeds": [embed], "allowed_mentions": {"parse": []}},
        )
        said = f"message {entry(answer, 'id')}" if answer.ok else words(entry(answer, "message"))
        wait = bounded_wait(entry(answer, "retry_after"))
        return judge(answer, "Discord", said=said, retry_after=wait)
