"""Calling a webhook: any 2xx is success."""

from __future__ import annotations

from hive.kinds import TriggerState
from hive.outgoing.client import Answer
from hive.sentences import say
from hive.services.outbox import allowed, sending
from hive.services.triggers.runs import CallOutcome
from hive.services.triggers.settings import Subject, Webhook

_SHOWN = 300  # characters of an answer


async def call(webhook: Webhook, subject: Subject) -> CallOutcome:
    """Send it once: whether one that failed arrived is not known, so it is not sent again."""
    body = subject.fill(webhook.body).encode() if webhook.body else None
    async with sending.outgoing() as outgoing:
        outgoing.allow_also(await allowed.networks())
        outgoing.timeout_seconds = webhook.seconds
        answer = await outgoing.request(
            webhook.method, webhook.url, headers=webhook.headers, body=body
        )
    state = TriggerState.SUCCEEDED if answer.ok else TriggerState.FAILED
    return CallOutcome(
        state, say("The answer was %(status)s%(words)s", status=answer.status, words=_words(answer))
    )


def _words(answer: Answer) -> str:
    text = " ".join(answer.text.split())
    return f": {text[:_SHOWN]}" if text else "."
