"""Microsoft Teams, by a workflow with an Adaptive Card (learn.microsoft.com/connectors/teams).

The connectors that Teams had before (webhook.office.com) are retired: workflows came after them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from hive.kinds import Severity
from hive.layout import Block, Facts, Listing, Paragraph
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import SecretAddress, entry, host_of, judge, post_json, words
from hive.notify.message import Message, bytes_of, cut, one_line
from hive.sentences import say

_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_COLOURS = {
    Severity.INFO: "Accent",
    Severity.WARNING: "Warning",
    Severity.CRITICAL: "Attention",
    Severity.RECOVERY: "Good",
}
# a message may have 28 KB; JSON may need six bytes for one of the text
_MOST = 4_000
_MOST_BLOCKS = 60
_RETIRED = "webhook.office.com"


def _is_workflow(secret: SecretStr) -> SecretStr:
    if (host_of(secret) or "").endswith(_RETIRED):
        raise ValueError(
            say(
                "Microsoft has retired such connectors: create a workflow in Teams that posts to"
                " the channel when a webhook request is received, and enter its URL."
            )
        )
    return secret


class TeamsSettings(ChannelSettings):
    url: Annotated[SecretAddress, AfterValidator(_is_workflow)] = Field(
        title=say("Workflow URL"),
        description=say(
            "The URL of a workflow that posts to a channel or chat when a webhook request is"
            " received; anyone who knows it can post."
        ),
    )


class Teams(Channel[TeamsSettings]):
    kind = "teams"
    title = "Microsoft Teams"
    settings_model = TeamsSettings

    @classmethod
    def describe(cls, settings: TeamsSettings) -> str:
        return f"Teams by {host_of(settings.url)}"

    @classmethod
    async def deliver(cls, settings: TeamsSettings, message: Message, means: Means) -> str:
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card(message),
        }
        sent = {"type": "message", "attachments": [attachment]}
        answer = await post_json(means, settings.url.get_secret_value(), sent)
        said = None if answer.ok else words(entry(answer, "error", "message"))
        return judge(answer, "Teams", said=said)


def card(message: Message) -> dict[str, Any]:
    """The message as a card. Runs of text are never read as Markdown, nor as a mention."""
    head = _text(message.label, color=_COLOURS[message.severity], weight="Bolder")
    title = _text(cut(one_line(message.title), 250), size="Large", weight="Bolder")
    actions = [_link(one.label, one.url) for one in message.buttons]
    if message.url is not None:
        actions.insert(0, _link(message.show, message.url))
    return {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut(one_line(message.title), 250),
        "msteams": {"width": "Full"},
        "body": [head, title, *_body(message)],
        "actions": actions,
    }


def _body(message: Message) -> list[dict[str, Any]]:
    """The parts of the text, as far as there is room for them."""
    blocks: tuple[Block, ...] = message.layout or (Paragraph((message.text,)),)
    found: list[dict[str, Any]] = []
    room = _MOST
    for block in blocks[:_MOST_BLOCKS]:
        runs = _runs(block, room)
        room -= sum(bytes_of(run["text"]) for run in runs)
        if runs:
            found.append({"type": "RichTextBlock", "inlines": runs, "spacing": "Medium"})
        if room <= 0:
            break
    return found


def _runs(block: Block, room: int) -> list[dict[str, Any]]:
    if isinstance(block, Facts):
        runs = []
        for name, value in block.pairs:
            runs += [_run(f"{name}: ", isSubtle=True), _run(f"{cut(value, 500)}\n")]
        return runs
    lines = block.as_lines()
    if isinstance(block, Listing):
        lines = [f"• {item}" for item in block.items]
    text = cut("\n".join(lines), room, bytes_of)
    return [_run(text)] if text else []


def _run(text: str, **more: object) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **more}


def _text(text: str, **more: object) -> dict[str, Any]:
    run = _run(text, **more)
    return {"type": "RichTextBlock", "inlines": [run], "spacing": "Small"}


def _link(label: str, url: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": label, "url": url}
