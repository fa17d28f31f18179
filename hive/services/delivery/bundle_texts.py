"""What one message says in place of many: what they have in common, and a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hive.clock import rfc3339
from hive.kinds import EventKind, Severity
from hive.layout import Block, Listing, Paragraph
from hive.models import Notification
from hive.sentences import Sentence, listed, say
from hive.services.outbox import texts
from hive.services.outbox.kinds import ORDER

SEVERAL = "several"  # the kind of a message that puts different kinds together
_NAMED = 3  # repositories in a title
_MOST = 100  # lines
_MOST_IN_DETAILS = 500


@dataclass(frozen=True, kw_only=True)
class BundleText:
    kind: str
    severity: Severity
    title: str
    blocks: Sequence[Block]
    details: dict[str, Any]


def compose(told: Sequence[Notification], *, is_late: bool, url: str | None) -> BundleText:
    """`is_late`: they were held back because there were too many in an hour."""
    kinds = {one.kind for one in told}
    kind = kinds.pop() if len(kinds) == 1 else SEVERAL
    lines = [one.brief or one.title for one in told[:_MOST]]
    if len(told) > _MOST:
        lines.append(say("... and %(count)s more.", count=len(told) - _MOST))
    blocks: list[Block] = [Listing(tuple(lines))]
    if is_late:
        blocks.insert(0, Paragraph((_WHY_LATE,)))
    same = {one.repository_id for one in told}
    page = told[0].details.get("url") if len(same) == 1 else url
    return BundleText(
        kind=kind,
        severity=max((one.severity for one in told), key=ORDER.index),
        title=_title(told, kind, is_late=is_late),
        blocks=blocks,
        details={
            "url": page or url,
            "bundled": [_document(one) for one in told[:_MOST_IN_DETAILS]],
            "count": len(told),
        },
    )


_WHY_LATE = say(
    "These messages were held back because there were many within an hour. Critical ones are never"
    " held back."
)


def _title(told: Sequence[Notification], kind: str, *, is_late: bool) -> Sentence:
    count = len(told)
    if is_late or kind == SEVERAL:
        return say("%(count)s messages that were held back", count=count)
    names = list(dict.fromkeys(str(one.details.get("repository") or "") for one in told))
    if "" in names or kind not in set(EventKind):
        return say("%(count)s messages: %(kind)s", count=count, kind=Sentence(kind))
    which = (
        listed(names, _NAMED)
        if len(names) <= _NAMED
        else say("%(count)s repositories", count=len(names))
    )
    return texts.event_title(EventKind(kind), which, {})


def _document(one: Notification) -> dict[str, Any]:
    """One of them as programs get it."""
    return {
        "event_id": one.details.get("event"),
        "kind": one.kind,
        "severity": str(one.severity),
        "title": one.title,
        "repository": one.details.get("repository"),
        "repository_id": one.repository_id,
        "url": one.details.get("url"),
        "at": rfc3339(one.at),
    }
