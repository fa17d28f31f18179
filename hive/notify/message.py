"""A message, the same for every channel, and what channels need to format it."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hive import clock
from hive.kinds import Severity

MARKS = {
    Severity.INFO: "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}",
    Severity.WARNING: "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    Severity.CRITICAL: "\N{POLICE CARS REVOLVING LIGHT}",
    Severity.RECOVERY: "\N{WHITE HEAVY CHECK MARK}",
}
COLORS = {
    Severity.INFO: 0x2F6FDE,
    Severity.WARNING: 0xD98B00,
    Severity.CRITICAL: 0xC62828,
    Severity.RECOVERY: 0x2E7D32,
}
ELLIPSIS = "…"
TEST = "test"  # the kind of a message that somebody asked for to see whether it arrives


@dataclass(frozen=True, kw_only=True)
class Message:
    """`id` belongs to the delivery and stays the same when it is tried again."""

    id: str
    event_id: int | None
    kind: str
    severity: Severity
    title: str
    text: str  # plain
    url: str | None  # of the page that shows more
    repository: str | None
    repository_id: int | None
    owner: str | None
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)  # as JSON has it
    # The problem that it is about, where it is about one, and where that is by it: "open",
    # "acknowledged" or "resolved".
    incident: str | None = None
    phase: str | None = None

    @property
    def thread(self) -> str:
        """What all messages on the same subject share."""
        return "server" if self.repository_id is None else f"repository-{self.repository_id}"

    def as_json(self) -> dict[str, Any]:
        """The message as programs get it."""
        return {
            "id": self.id,
            "event_id": self.event_id,
            "kind": self.kind,
            "severity": self.severity.value,
            "title": self.title,
            "text": self.text,
            "url": self.url,
            "repository": self.repository,
            "repository_id": self.repository_id,
            "owner": self.owner,
            "at": clock.rfc3339(self.at),
            "details": dict(self.details),
        }


def one_line(text: str) -> str:
    """`text` without anything that could begin a line or is not to be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def bytes_of(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))


def utf16_units_of(text: str) -> int:
    return len(text.encode("utf-16-le", errors="replace")) // 2


def cut(text: str, most: int, measure: Callable[[str], int] = len) -> str:
    """`text`, or so much of its beginning that it measures at most `most`, with an ellipsis."""
    if measure(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if measure(text[:middle] + ELLIPSIS) <= most else (low, middle - 1)
        )
    return text[:low].rstrip() + ELLIPSIS


def plain(message: Message) -> str:
    """Text and link, for channels that show the title separately."""
    return message.text if message.url is None else f"{message.text}\n\n{message.url}"


def as_html(message: Message) -> str:
    """A small HTML document, or the part of one that chats take; nothing in it is not escaped."""
    parts = [f"<p><strong>{html.escape(one_line(message.title))}</strong></p>"]
    parts += [
        "<p>" + html.escape(paragraph).replace("\n", "<br>\n") + "</p>"
        for paragraph in message.text.split("\n\n")
    ]
    if message.url is not None:
        address = html.escape(message.url)
        parts.append(f'<p><a href="{address}">{address}</a></p>')
    return "\n".join(parts)
