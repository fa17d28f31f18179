"""A message, the same for every channel, and what channels need to format it."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hive import clock
from hive.catalogues import DEFAULT
from hive.kinds import Severity
from hive.layout import Layout
from hive.sentences import say
from hive.translation import translate

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
DIGEST = "digest"  # the kind of a message on how everything is
TEST = "test"  # the kind of a message that somebody asked for to see whether it arrives


_LABELS = {
    Severity.INFO: say("Information"),
    Severity.WARNING: say("Warning"),
    Severity.CRITICAL: say("Critical"),
    Severity.RECOVERY: say("Resolved"),
}
_SHOW = say("Show in Borg Hive")


@dataclass(frozen=True)
class Button:
    """What somebody can do about a message: a link to a page that asks once more."""

    label: str
    url: str


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
    language: str = DEFAULT
    layout: Layout = ()  # the text in its parts, where it is known
    buttons: tuple[Button, ...] = ()  # for who got this message alone
    unsubscribe_url: str | None = None

    @property
    def label(self) -> str:
        """How bad it is, in a word."""
        return translate(_LABELS[self.severity], self.language)

    @property
    def show(self) -> str:
        """What is written on the link to its page."""
        return translate(_SHOW, self.language)

    @property
    def thread(self) -> str:
        """What all messages on the same subject share."""
        if self.repository_id is not None:
            return f"repository-{self.repository_id}"
        return "digest" if self.kind == DIGEST else "server"

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
    """Text and links, for channels that show the title separately."""
    parts = [message.text, *(f"{one.label}: {one.url}" for one in message.buttons)]
    if message.url is not None:
        parts.append(message.url)
    return "\n\n".join(parts)


def as_html(message: Message) -> str:
    """The part of a document that chats take; nothing in it is not escaped."""
    parts = [f"<p><strong>{html.escape(one_line(message.title))}</strong></p>"]
    parts += [
        "<p>" + html.escape(paragraph).replace("\n", "<br>\n") + "</p>"
        for paragraph in message.text.split("\n\n")
    ]
    parts += [f"<p>{_anchor(one.url, one.label)}</p>" for one in message.buttons]
    if message.url is not None:
        parts.append(f"<p>{_anchor(message.url, message.url)}</p>")
    return "\n".join(parts)


def _anchor(url: str, label: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(label)}</a>'
