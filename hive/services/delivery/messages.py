"""A delivery as the message that its channel sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hive import layout
from hive.kinds import Language
from hive.models import Delivery
from hive.notify.message import Message
from hive.services.delivery import answer_links


async def of(row: Delivery, settings: Mapping[str, Any]) -> Message:
    """With the links that its reader may use; `settings` are those of the channel."""
    told = row.notification
    details = told.details
    links = await answer_links.of(row, settings)
    return Message(
        id=row.token,
        event_id=details.get("event"),
        kind=told.kind,
        severity=told.severity,
        title=told.title,
        text=told.text,
        url=details.get("url"),
        repository=details.get("repository"),
        repository_id=told.repository_id,
        owner=details.get("owner"),
        at=told.at,
        details=details,
        incident=details.get("incident"),
        phase=details.get("phase"),
        language=told.user.language or Language.ENGLISH,
        layout=layout.load(told.layout),
        buttons=links.buttons,
        unsubscribe_url=links.unsubscribe_url,
    )
