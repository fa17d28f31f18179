"""Whatever Apprise knows and the hive does not (https://appriseit.com).

Apprise sends its own requests, past the guard of `hive.outgoing.client`; hence for
administrators only, and only to services on the list below: nothing that runs a program, writes to
this machine's log or desktop, or is a plain request to any address.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from hive.errors import DeliveryFailed
from hive.kinds import Severity
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.message import Message, cut, one_line, plain
from hive.sentences import say

SCHEMES = (
    "bark",
    "barks",
    "bluesky",
    "brevo",
    "bulksms",
    "clicksend",
    "fcm",
    "gchat",
    "goalert",
    "goalerts",
    "guilded",
    "hassio",
    "hassios",
    "ifttt",
    "join",
    "lametric",
    "lametrics",
    "line",
    "mailgun",
    "mastodon",
    "mastodons",
    "nctalk",
    "nctalks",
    "nexmo",
    "notica",
    "notifiarr",
    "o365",
    "onesignal",
    "opsgenie",
    "pbul",
    "plivo",
    "postmark",
    "prowl",
    "push",
    "pushdeer",
    "pushed",
    "pushy",
    "revolt",
    "rocket",
    "rockets",
    "ryver",
    "sendgrid",
    "ses",
    "signal",
    "signals",
    "signl4",
    "simplepush",
    "sinch",
    "smtp2go",
    "sns",
    "sparkpost",
    "spike",
    "splunk",
    "squadcast",
    "synology",
    "synologys",
    "threema",
    "toot",
    "toots",
    "twilio",
    "twist",
    "victorops",
    "voipms",
    "vonage",
    "webex",
    "whatsapp",
    "workflow",
    "workflows",
    "wxteams",
    "zulip",
)
_TYPES = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
    Severity.RECOVERY: "success",
}
_SECONDS = 60


def _known(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    scheme, separator, _ = text.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise ValueError(
            say(
                "The URL must begin with one of the services %(schemes)s, and then :// "
                "as Apprise describes it.",
                schemes=", ".join(SCHEMES),
            )
        )
    if not text.isprintable() or any(char in text for char in " ,"):
        # Apprise would take what follows for a further URL, of any service
        raise ValueError("It must be one URL, without spaces and commas.")
    return secret


class AppriseSettings(ChannelSettings):
    url: Annotated[SecretStr, AfterValidator(_known)] = Field(
        title=say("Apprise URL"),
        description=say("One URL as Apprise describes it, with the tokens in it."),
        max_length=2000,
    )


class Apprise(Channel[AppriseSettings]):
    kind = "apprise"
    title = "Apprise"
    settings_model = AppriseSettings
    administrators_only = True

    @classmethod
    def describe(cls, settings: AppriseSettings) -> str:
        return say(
            "Apprise to %(service)s",
            service=settings.url.get_secret_value().partition("://")[0].lower(),
        )

    @classmethod
    async def deliver(cls, settings: AppriseSettings, message: Message, means: Means) -> str:
        sending = asyncio.to_thread(_notify, settings.url.get_secret_value(), message)
        try:
            # a thread cannot be stopped; Apprise's own time-outs end it soon after
            delivered = await asyncio.wait_for(sending, _SECONDS)
        except TimeoutError:
            raise DeliveryFailed(
                "Apprise did not deliver within %(seconds)s seconds.", seconds=_SECONDS
            ) from None
        if not delivered:
            raise DeliveryFailed("Apprise could not deliver; the server's log may say why.")
        return "delivered"


def _notify(url: str, message: Message) -> bool:
    """Runs in a thread. Apprise is large and optional, so it is imported by who needs it."""
    try:
        apprise: Any = importlib.import_module("apprise")
    except ImportError:
        raise DeliveryFailed(
            "Apprise is not installed; an administrator installs borg-hive[apprise].",
            permanent=True,
        ) from None
    sender = apprise.Apprise()
    if not sender.add(url):
        raise DeliveryFailed("Apprise does not understand the URL.", permanent=True)
    delivered: bool = sender.notify(
        title=cut(one_line(message.title), 250),
        body=plain(message),
        notify_type=_TYPES[message.severity],
        body_format="text",
        interpret_escapes=False,
    )
    return delivered
