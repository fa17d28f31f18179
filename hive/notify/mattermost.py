"""Mattermost (https://developers.mattermost.com/integrate/webhooks/incoming/)."""

from __future__ import annotations

from pydantic import Field

from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import SecretAddress, entry, host_of, judge, post_json, words
from hive.notify.markdown import escape
from hive.notify.message import MARKS, Message, one_line
from hive.sentences import say

_MOST = 16_383


class MattermostSettings(ChannelSettings):
    url: SecretAddress = Field(
        title=say("Webhook URL"),
        description=say(
            "The URL of an incoming webhook, https://chat.example.org/hooks/...; "
            "anyone who knows it can post."
        ),
    )


class Mattermost(Channel[MattermostSettings]):
    kind = "mattermost"
    title = "Mattermost"
    settings_model = MattermostSettings

    @classmethod
    def describe(cls, settings: MattermostSettings) -> str:
        return f"Mattermost at {host_of(settings.url)}"

    @classmethod
    async def deliver(cls, settings: MattermostSettings, message: Message, means: Means) -> str:
        head = f"{MARKS[message.severity]} **{_harmless(one_line(message.title), 500)}**\n\n"
        foot = "".join(f"\n\n[{escape(one.label, 100)}]({one.url})" for one in message.buttons)
        foot += f"\n\n<{message.url}>" if message.url is not None else ""
        text = head + _harmless(message.text, _MOST - len(head) - len(foot)) + foot
        answer = await post_json(means, settings.url.get_secret_value(), {"text": text})
        return judge(answer, "Mattermost", said=words(entry(answer, "message")))


def _harmless(text: str, most: int) -> str:
    """Escaped, and with mentions (@channel, @all, @alice) that reach nobody."""
    return escape(text.replace("@", "@\N{ZERO WIDTH SPACE}"), most)
