"""Calling a webhook: any 2xx is success."""

from __future__ import annotations

from hive.kinds import TriggerState
from hive.outgoing.client import Answer, Outgoing
from hive.services import runtime
from hive.services.outbox import allowed
from hive.services.triggers.runs import CallOutcome
from hive.services.triggers.settings import Subject, Webhook

_SHOWN = 300  # characters of an answer


async def call(webhook: Webhook, subject: Subject) -> CallOutcome:
    """Send it once: whether one that failed arrived is not known, so it is not sent again."""
    body = subject.fill(webhook.body).encode() if webhook.body else None
    async with Outgoing.of(runtime.settings().notifications) as outgoing:
        outgoing.allow_also(await allowed.networks())
        outgoing.timeout_seconds = webhook.seconds
        answer = await outgoing.request(
            webhook.method, webhook.url, headers=webhook.headers, body=body
        )
    state = TriggerState.SUCCEEDED if answer.ok else TriggerState.FAILED
    return CallOutcome(state, f"The answer was {answer.status}{_words(answer)}")


def _words(answer: Answer) -> str:
    text = " ".join(answer.text.split())
    return f": {text[:_SHOWN]}" if text else "."
