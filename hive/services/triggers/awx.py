"""Starting a job template of AWX (or Tower), and following the job to its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hive import clock
from hive.errors import OutgoingFailed
from hive.kinds import TriggerState
from hive.outgoing.client import Answer
from hive.sentences import Sentence, say
from hive.services.outbox import allowed, sending
from hive.services.triggers.runs import CallOutcome
from hive.services.triggers.settings import Awx, Subject

_RUNNING = ("new", "pending", "waiting", "running")
_SOONEST = timedelta(seconds=5)
_SELDOMEST = timedelta(minutes=1)
_LONGEST_WISH = timedelta(minutes=15)  # of a server that asks to be left alone
_SHOWN = 500  # characters of an answer

_ADVICE = {
    401: say("the token is wrong or was revoked"),
    403: say("the token's user may not execute this template"),
    404: say("there is no such job template, or the token's user may not see it"),
}


async def launch(awx: Awx, subject: Subject, started_at: datetime) -> CallOutcome:
    """Ask for the job. A full queue (429) is asked again; anything else unclear is a failure."""
    sent: dict[str, Any] = {}
    if awx.extra_vars:
        sent["extra_vars"] = _filled(awx.extra_vars, subject)
    if awx.limit is not None:
        sent["limit"] = subject.fill(awx.limit)
    answer = await _ask(awx, "POST", f"job_templates/{awx.template}/launch/", sent)
    if answer.status == 429:
        return _later(awx, started_at, say("AWX asks to try again later (429)."), answer)
    if not answer.ok:
        return CallOutcome(TriggerState.FAILED, say("AWX refused: %(reason)s", reason=_why(answer)))
    told = answer.json()
    job = told.get("job", told.get("id")) if isinstance(told, dict) else None
    if not isinstance(job, int) or not isinstance(told, dict):
        return CallOutcome(
            TriggerState.FAILED,
            say(
                "What answered (%(status)s) is not AWX: its answer names no job. Is the "
                "URL that of AWX itself?",
                status=answer.status,
            ),
        )
    ignored = _ignored(told)
    return CallOutcome(
        TriggerState.RUNNING,
        say(
            "Job %(job)s is %(status)s.%(warning)s",
            job=job,
            status=_status(told) or "pending",
            warning=ignored,
        ),
        external_id=str(job),
        link=f"{awx.url}/#/jobs/playbook/{job}/output",
        look_at=clock.now() + _SOONEST,
    )


def _filled(value: Any, subject: Subject) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return subject.fill(value)
    if isinstance(value, Mapping):
        return {name: _filled(below, subject) for name, below in value.items()}
    if isinstance(value, list):
        return [_filled(below, subject) for below in value]
    return value


def _ignored(told: Mapping[str, Any]) -> str:
    """What the template did not take: it starts all the same, and does something else."""
    ignored = told.get("ignored_fields")
    if not isinstance(ignored, dict) or not ignored:
        return ""
    names = []
    for name, value in ignored.items():
        inner = f" ({', '.join(map(str, value))})" if isinstance(value, dict) and value else ""
        names.append(f"{name}{inner}")
    return say(
        ' The template ignored %(names)s: switch on "Prompt on launch" there, or leave them out.',
        names=", ".join(names),
    )


async def follow(awx: Awx, job: str, started_at: datetime, former: str) -> CallOutcome:
    """Look at the job; `former` is what was reported before."""
    try:
        answer = await _ask(awx, "GET", f"jobs/{job}/")
    except OutgoingFailed as error:
        if error.permanent:
            raise
        return _later(
            awx, started_at, say("Job %(job)s: %(problem)s", job=job, problem=error.message)
        )
    if answer.status in _ADVICE:
        return CallOutcome(
            TriggerState.FAILED,
            say(
                "Job %(job)s cannot be followed any more (%(status)s): it was deleted, "
                "or the token may not see it.",
                job=job,
                status=answer.status,
            ),
        )
    told = answer.json()
    status = _status(told) if isinstance(told, dict) and answer.ok else None
    if status is None:
        return _later(
            awx,
            started_at,
            say("Job %(job)s: AWX answered %(status)s.", job=job, status=answer.status),
            answer,
        )
    warning = former.values.get("warning", "") if isinstance(former, Sentence) else ""
    if status in _RUNNING:
        return _later(
            awx,
            started_at,
            say("Job %(job)s is %(status)s.%(warning)s", job=job, status=status, warning=warning),
            answer,
        )
    explained = str(told.get("job_explanation") or "") if isinstance(told, dict) else ""
    words = f" {explained[:_SHOWN]}" if explained else ""
    good = status == "successful"
    state = TriggerState.SUCCEEDED if good else TriggerState.FAILED
    return CallOutcome(
        state,
        say(
            "Job %(job)s: %(status)s.%(words)s%(warning)s",
            job=job,
            status=status,
            words=words,
            warning=warning,
        ),
    )


def _status(told: Mapping[str, Any]) -> str | None:
    status = told.get("status")
    return status[:40] if isinstance(status, str) else None


def _later(
    awx: Awx, started_at: datetime, message: str, answer: Answer | None = None
) -> CallOutcome:
    """Look again, the longer it takes the more seldom; or give up."""
    now = clock.now()
    if now - started_at > awx.give_up:
        return CallOutcome(
            TriggerState.FAILED,
            say(
                "Given up after %(span)s. %(message)s",
                span=awx.give_up,
                message=message,
            ),
        )
    pause = min(max((now - started_at) / 4, _SOONEST), _SELDOMEST)
    wish = answer.headers.get("retry-after", "") if answer is not None else ""
    if wish.isascii() and wish.isdigit() and len(wish) < 6:
        pause = min(max(pause, timedelta(seconds=int(wish))), _LONGEST_WISH)
    return CallOutcome(TriggerState.RUNNING, message, look_at=now + pause)


def _why(answer: Answer) -> str:
    """What is wrong, in our words and in AWX's own."""
    advice = _ADVICE.get(answer.status)
    told = answer.json()
    said = ""
    if isinstance(told, dict):
        parts = [
            f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
            for name, value in told.items()
        ]
        said = "; ".join(parts)[:_SHOWN].removeprefix("detail: ")
    words = " - ".join(part for part in (advice, said) if part)
    return f"{answer.status}{f' ({words})' if words else ''}."


async def _ask(awx: Awx, method: str, path: str, sent: dict[str, Any] | None = None) -> Answer:
    headers = {
        "Authorization": f"Bearer {awx.token}",
        "Accept": "application/json",
    }
    async with sending.outgoing() as outgoing:
        outgoing.allow_also(await allowed.networks())
        return await outgoing.request(
            method, f"{awx.url}{awx.api}/{path}", headers=headers, json=sent
        )
