"""docs/reference/channels.md, made from the channels themselves."""

from __future__ import annotations

from typing import Any

from hive.notify.channel import Channel, SettingField
from hive.notify.registry import CHANNELS

_BEGINNING = """\
# Channels

<!-- Made by script/generate from hive/notify; changes belong there. -->

Where notifications can be sent, and what each channel needs. Secrets are never shown again.
[Notifications](../how-to/notifications.md) describes what all channels have in common."""


def markdown() -> str:
    return "\n\n".join([_BEGINNING, *(_section(channel) for channel in CHANNELS.values())]) + "\n"


def _section(channel: type[Channel[Any]]) -> str:
    rows = ["| setting | name | description |", "|---|---|---|"]
    rows += [
        f"| {field.title} | `{field.name}` | {_sentences(field)} |" for field in channel.fields()
    ]
    head = f"## {channel.title}\n\nKind `{channel.kind}`."
    if channel.administrators_only:
        head += " For administrators only."
    return f"{head}\n\n" + "\n".join(rows)


def _sentences(field: SettingField) -> str:
    sentences = field.description.replace("|", "\\|")
    if field.choices:
        sentences += f" One of {', '.join(f'`{choice}`' for choice in field.choices)}."
    if field.default:
        sentences += f" Default `{field.default}`."
    elif not field.required:
        sentences += " Optional."
    if field.secret:
        sentences += " Secret."
    return sentences
