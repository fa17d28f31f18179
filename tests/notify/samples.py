"""A message as hostile as one can be, and settings of each channel that speaks HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hive.kinds import Severity
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.message import Message
from hive.notify.registry import CHANNELS
from hive.outgoing.client import Outgoing

MESSAGE = Message(
    id="delivery-17",
    event_id=4711,
    kind="mass deletion",
    severity=Severity.CRITICAL,
    title="Mass deletion in töpfe",
    text="80 % of the data were deleted.\nBy key laptop.",
    url="https://hive.example.org/repositories/7?a=1&b=2",
    repository="töpfe",
    repository_id=7,
    owner="alice",
    at=datetime(2026, 11, 23, 17, 5, tzinfo=UTC),
    details={"deleted_percent": 80},
    incident="repository-7/mass-deletion",
    phase="open",
)
HOSTILE = replace(
    MESSAGE,
    title='a"b\\\r\nBcc: eve@example.org\r\n\r\n<b>*_`@channel <!channel> {{text}}',
    text='<script>alert(1)</script> & "q" @everyone <@U1> [x](http://evil) {{id}}',
    repository="r\r\nX-Injected: yes",
    kind="k\r\nX-Injected: yes",
)

SECRET = "s3cr3tS3CR3Ts3cr3tS3CR3Ts3cr3t"  # 30 characters, as Pushover wants


def settings_of(url: str) -> dict[str, dict[str, Any]]:
    """By kind; the far end of self-hosted services is at `url`, and SECRET is in each."""
    return {
        "pushover": {"user_key": "u" * 30, "token": SECRET},
        "ntfy": {"server": url, "topic": "backups", "token": SECRET},
        "gotify": {"server": f"{url}/", "token": SECRET},
        "telegram": {"token": f"123456789:{SECRET}", "chat": "-100123"},
        "slack": {"url": f"{url}/services/T0/B0/{SECRET}"},
        "teams": {"url": f"{url}/workflows/1/invoke?sig={SECRET}"},
        "discord": {"url": f"{url}/api/webhooks/1/{SECRET}"},
        "mattermost": {"url": f"{url}/hooks/{SECRET}"},
        "matrix": {"server": url, "room": "!abc:example.org", "token": SECRET},
        "pagerduty": {"routing_key": f"{SECRET}xx"},
        "webhook": {
            "url": f"{url}/hook?key={SECRET}",
            "headers": f"Authorization: Bearer {SECRET}",
            "secret": f"{SECRET}-for-signing",
        },
    }


KINDS = tuple(settings_of("http://127.0.0.1"))


def prepared(
    kind: str, at: str, outgoing: Outgoing, **more: Any
) -> tuple[type[Channel[Any]], ChannelSettings, Means]:
    channel = CHANNELS[kind]
    settings = channel.read(settings_of(at)[kind] | more)
    fixed = dict.fromkeys(("pushover", "telegram", "pagerduty"), at)
    means = Means(outgoing=outgoing, public_url="https://hive.example.org", bases=fixed)
    return channel, settings, means
