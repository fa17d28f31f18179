"""Pushover (https://pushover.net/api)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, SecretStr

from hive.kinds import Severity
from hive.notify.channel import Channel, ChannelSettings, Means, matching
from hive.notify.http import entry, judge, post_json, words
from hive.notify.message import Message, cut, one_line
from hive.sentences import say

_PRIORITIES = {
    Severity.INFO: -1,  # no sound
    Severity.WARNING: 0,
    Severity.CRITICAL: 1,  # past the hours of quiet
    Severity.RECOVERY: 0,
}


class PushoverSettings(ChannelSettings):
    user_key: Annotated[SecretStr, matching(re.compile(r"[A-Za-z0-9]{30}"))] = Field(
        title=say("User or group key"),
        description=say("The key of a user or group, 30 letters and digits, from your dashboard."),
    )
    token: Annotated[SecretStr, matching(re.compile(r"[A-Za-z0-9]{30}"))] = Field(
        title=say("API token"),
        description=say("The token of an application, 30 letters and digits."),
    )
    device: str | None = Field(
        None,
        title=say("Device"),
        description=say("The name of one device; without it, all devices."),
        pattern="^[A-Za-z0-9_-]{1,25}$",
    )


class Pushover(Channel[PushoverSettings]):
    kind = "pushover"
    title = "Pushover"
    settings_model = PushoverSettings

    @classmethod
    def describe(cls, settings: PushoverSettings) -> str:
        return f"Pushover to {settings.device or 'all devices'}"

    @classmethod
    async def deliver(cls, settings: PushoverSettings, message: Message, means: Means) -> str:
        sent = {
            "token": settings.token.get_secret_value(),
            "user": settings.user_key.get_secret_value(),
            "title": cut(one_line(message.title), 250),
            "message": cut(message.text, 1024) or one_line(message.title),
            "priority": _PRIORITIES[message.severity],
            "timestamp": int(message.at.timestamp()),
        }
        if settings.device is not None:
            sent["device"] = settings.device
        if message.url is not None and len(message.url) <= 512:
            sent |= {"url": message.url, "url_title": "Show in Borg Hive"}
        base = means.base(cls.kind, "https://api.pushover.net")
        answer = await post_json(means, f"{base}/1/messages.json", sent)
        return judge(answer, "Pushover", said=words(entry(answer, "errors")))
