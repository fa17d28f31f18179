"""Every channel there is, by its kind. A kind is stored and never renamed."""

from __future__ import annotations

from typing import Any

from hive.errors import InvalidInput
from hive.notify.apprise import Apprise
from hive.notify.channel import Channel
from hive.notify.discord import Discord
from hive.notify.email import Email
from hive.notify.gotify import Gotify
from hive.notify.matrix import Matrix
from hive.notify.mattermost import Mattermost
from hive.notify.ntfy import Ntfy
from hive.notify.pagerduty import PagerDuty
from hive.notify.pushover import Pushover
from hive.notify.slack import Slack
from hive.notify.teams import Teams
from hive.notify.telegram import Telegram
from hive.notify.webhook import Webhook

CHANNELS: dict[str, type[Channel[Any]]] = {
    "email": Email,
    "pushover": Pushover,
    "ntfy": Ntfy,
    "gotify": Gotify,
    "telegram": Telegram,
    "slack": Slack,
    "teams": Teams,
    "discord": Discord,
    "mattermost": Mattermost,
    "matrix": Matrix,
    "pagerduty": PagerDuty,
    "webhook": Webhook,
    "apprise": Apprise,
}


def channel(kind: str) -> type[Channel[Any]]:
    """The channel of this kind; InvalidInput names those there are."""
    try:
        return CHANNELS[kind]
    except KeyError:
        raise InvalidInput(
            "There is no kind of channel %(kind)r; there are %(channels)s.",
            field="kind",
            kind=kind,
            channels=", ".join(CHANNELS),
        ) from None
