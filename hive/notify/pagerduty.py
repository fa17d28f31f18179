"""PagerDuty (https://developer.pagerduty.com/docs/events-api-v2/overview/)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from hive import clock
from hive.notify.channel import Channel, ChannelSettings, Means, matching
from hive.notify.http import entry, judge, post_json, words
from hive.notify.message import TEST, Message, cut, one_line
from hive.sentences import say

_LONGEST_KEY = 255
_ACTIONS = {"open": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_HOSTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}


class PagerDutySettings(ChannelSettings):
    routing_key: Annotated[SecretStr, matching(re.compile(r"[A-Za-z0-9]{32}"))] = Field(
        title=say("Integration key"),
        description=say("The key of an Events API v2 integration, 32 letters and digits."),
    )
    region: Literal["us", "eu"] = Field(
        "us", title=say("Region"), description=say("The service region of your account.")
    )


class PagerDuty(Channel[PagerDutySettings]):
    """An alert for each problem of each repository: what ended is resolved, and nothing else."""

    kind = "pagerduty"
    title = "PagerDuty"
    settings_model = PagerDutySettings
    is_idempotent = True  # by the alert's key
    keeps_incidents = True

    @classmethod
    def describe(cls, settings: PagerDutySettings) -> str:
        return f"PagerDuty ({settings.region.upper()})"

    @classmethod
    async def deliver(cls, settings: PagerDutySettings, message: Message, means: Means) -> str:
        if message.kind == TEST:
            await _send(settings, message, means, "test", "trigger")
            return await _send(settings, message, means, "test", "resolve")
        action = _ACTIONS.get(message.phase or "")
        if message.incident is None or action is None:
            return say("Not sent: only problems open incidents.")
        return await _send(settings, message, means, message.incident, action)


async def _send(
    settings: PagerDutySettings, message: Message, means: Means, incident: str, action: str
) -> str:
    hive = (urlsplit(means.public_url).hostname if means.public_url else None) or "borg-hive"
    sent: dict[str, Any] = {
        "routing_key": settings.routing_key.get_secret_value(),
        "dedup_key": f"borg-hive/{hive}/{incident}"[:_LONGEST_KEY],
        "event_action": action,
    }
    if action == "trigger":
        sent |= {"client": "Borg Hive", "payload": _payload(message, hive)}
        if message.url is not None:
            sent |= {
                "client_url": message.url,
                "links": [{"href": message.url, "text": "Show in Borg Hive"}],
            }
    base = means.base(PagerDuty.kind, _HOSTS[settings.region])
    answer = await post_json(means, f"{base}/v2/enqueue", sent)
    said = words(entry(answer, "message" if answer.ok else "errors"))
    return judge(answer, "PagerDuty", said=said)


def _payload(message: Message, hive: str) -> dict[str, Any]:
    return {
        "summary": cut(one_line(message.title), 1024),
        "source": cut(one_line(message.repository or hive), 255),
        "severity": message.severity.value,
        "timestamp": clock.rfc3339(message.at),
        "component": "borg",
        "group": hive,
        "class": message.kind,
        "custom_details": {"text": cut(message.text, 16_000), "event": message.event_id},
    }
