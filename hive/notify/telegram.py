"""Telegram (https://core.telegram.org/bots/api#sendmessage)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, SecretStr

from hive.notify.channel import Channel, ChannelSettings, Means, matching
from hive.notify.http import bounded_wait, entry, judge, post_json, words
from hive.notify.message import MARKS, Message, cut, one_line, plain, utf16_units_of
from hive.sentences import say


class TelegramSettings(ChannelSettings):
    token: Annotated[SecretStr, matching(re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}"))] = Field(
        title=say("Bot token"),
        description=say("The token that @BotFather gave the bot, for example 123456789:AbC...."),
    )
    chat: str = Field(
        title=say("Chat"),
        description=say(
            "The number of a chat, which is negative for groups, or @name of a channel."
        ),
        pattern="^(-?[0-9]{1,20}|@[A-Za-z0-9_]{4,64})$",
    )
    topic: str | None = Field(
        None,
        title=say("Topic"),
        description=say("The number of a topic, in a group that has topics."),
        pattern="^[0-9]{1,15}$",
    )


class Telegram(Channel[TelegramSettings]):
    kind = "telegram"
    title = "Telegram"
    settings_model = TelegramSettings

    @classmethod
    def describe(cls, settings: TelegramSettings) -> str:
        return f"Telegram to chat {settings.chat}"

    @classmethod
    async def deliver(cls, settings: TelegramSettings, message: Message, means: Means) -> str:
        head = f"{MARKS[message.severity]} {one_line(message.title)}"
        sent: dict[str, Any] = {
            "chat_id": settings.chat,
            # without a parse mode text is text, and nothing in it needs escaping
            "text": cut(f"{head}\n\n{plain(message)}", 4096, utf16_units_of),
            "link_preview_options": {"is_disabled": True},
        }
        if settings.topic is not None:
            sent["message_thread_id"] = int(settings.topic)
        base = means.base(cls.kind, "https://api.telegram.org")
        url = f"{base}/bot{settings.token.get_secret_value()}/sendMessage"
        answer = await post_json(means, url, sent)
        said = (
            f"message {entry(answer, 'result', 'message_id')}"
            if answer.ok
            else words(entry(answer, "description"))
        )
        wait = bounded_wait(entry(answer, "parameters", "retry_after"))
        return judge(answer, "Telegram", said=said, retry_after=wait)
