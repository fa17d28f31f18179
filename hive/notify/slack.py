"""Slack (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)."""

from __future__ import annotations

import html

from pydantic import Field

from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import SecretAddress, host_of, judge, post_json
from hive.notify.message import MARKS, Message, cut, one_line
from hive.sentences import say

# Slack cuts at 40,000 and advises 4,000
_MOST = 4000


class SlackSettings(ChannelSettings):
    url: SecretAddress = Field(
        title=say("Webhook URL"),
        description=say(
            "The URL of an incoming webhook, https://hooks.slack.com/services/...; "
            "anyone who knows it can post."
        ),
    )


class Slack(Channel[SlackSettings]):
    kind = "slack"
    title = "Slack"
    settings_model = SlackSettings

    @classmethod
    def describe(cls, settings: SlackSettings) -> str:
        return f"Slack by {host_of(settings.url)}"

    @classmethod
    async def deliver(cls, settings: SlackSettings, message: Message, means: Means) -> str:
        text = f"{MARKS[message.severity]} *{_escape(cut(one_line(message.title), 250))}*\n"
        text += _escape(cut(message.text, _MOST))
        for one in message.buttons:
            text += f"\n<{_escape(one.url)}|{_escape(one.label)}>"
        if message.url is not None:
            text += f"\n{_escape(message.url)}"
        answer = await post_json(
            means,
            settings.url.get_secret_value(),
            {"text": text, "unfurl_links": False, "unfurl_media": False},
        )
        return judge(answer, "Slack")


def _escape(text: str) -> str:
    """The three characters that mean something to Slack; with them go <!channel> and <@user>."""
    return html.escape(text, quote=False)
