"""What nobody answers goes to somebody else after a while, where a rule says so.

It begins when the person of the rule can have read of the problem, and ends with the problem or
with any answer to it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tortoise.expressions import Q

from hive import clock, layout
from hive.database import transactional
from hive.kinds import Severity
from hive.layout import Paragraph
from hive.models import Channel, Escalation, Notification, Repository
from hive.sentences import say
from hive.services.outbox import recipients
from hive.services.outbox.incidents import Phase
from hive.services.outbox.kinds import Matter
from hive.services.outbox.routing import Destination, Person, fallback, matches
from hive.services.outbox.writing import Notice, Ways, write

_AT_ONCE = 200


async def plan(person: Person, matter: Matter, row: Notification, told_at: datetime) -> None:
    """Note when a problem is escalated by each of a person's rules that wants that."""
    if row.incident is None or not matter.can_be_answered:
        return
    for rule in person.rules:
        if rule.escalate_after is None or not matches(rule, matter):
            continue
        values = {"notification_id": row.id, "due_at": told_at + rule.escalate_after}
        await Escalation.get_or_create(values, rule_id=rule.id, incident=row.incident)


async def answer(incident: str, phase: Phase) -> None:
    """Somebody answered a problem, or it is over: nobody else needs to hear of it."""
    rows = Escalation.filter(incident=incident)
    if phase == Phase.RESOLVED:
        await rows.delete()
    else:
        await rows.update(due_at=None)


async def escalate_due() -> int:
    """Notify those whose turn it is; how many problems it was."""
    now = clock.now()
    due = Escalation.filter(due_at__lte=now).order_by("due_at").limit(_AT_ONCE)
    ids = await due.values_list("id", flat=True)
    done = 0
    for escalation_id in ids:
        done += await _escalate(int(escalation_id), now)  # type: ignore[call-overload]  # values_list is untyped
    return done


@transactional
async def _escalate(escalation_id: int, now: datetime) -> bool:
    still = Q(id=escalation_id, due_at__lte=now)
    row = await Escalation.get_or_none(still).select_related("rule__user", "notification__user")
    if row is None:
        return False
    row.due_at = None
    await row.save(update_fields=["due_at"])
    told, rule = row.notification, row.rule
    is_there = (
        told.repository_id is None
        or await Repository.filter(id=told.repository_id, deleted_at=None).exists()
    )
    if not rule.enabled or not is_there:
        return False
    ways = await _ways(rule.user_id, rule.escalate_channel_id, rule.escalate_user_id, now)
    return await write(ways, _notice(row, now - told.at), now) > 0


async def _ways(person_id: int, channel_id: int | None, user_id: int | None, now: datetime) -> Ways:
    if user_id is not None:
        people = await recipients.load([user_id])
        return [(one, dict.fromkeys(_all_of(one), now)) for one in people]
    channel = await Channel.get_or_none(id=channel_id or 0).select_related("owner")
    if channel is None:
        return []
    place = recipients.place_of(channel)
    return [(one, {place: now}) for one in await recipients.load([person_id])]


def _all_of(person: Person) -> tuple[Destination, ...]:
    """Whatever reaches somebody; their rules do not count, because somebody asked for them."""
    found = fallback(person)
    mail = person.own_mail
    is_broken = all(place.error for place in found)
    return (*found, mail) if is_broken and mail is not None and mail not in found else found


def _notice(row: Escalation, passed: timedelta) -> Notice:
    told = row.notification
    span = timedelta(seconds=round(passed.total_seconds() / 60) * 60)
    why = say(
        "Nobody has answered this for %(span)s. %(user)s was notified at %(at)s, and asked that it"
        " goes to you then.",
        span=span,
        user=told.user.name,
        at=told.at,
    )
    matter = Matter(
        told.kind,
        Severity(told.severity),
        incident=told.incident,
        repository_id=told.repository_id,
    )
    return Notice(
        f"escalation:{row.id}:{told.id}",
        matter,
        say("Unanswered for %(span)s: %(title)s", span=span, title=told.title),
        details={**told.details, "escalated_from": told.user.name},
        blocks=[Paragraph((why,)), *layout.load(told.layout)],
        brief=say("Unanswered for %(span)s: %(title)s", span=span, title=told.title),
        phase=Phase.OPEN,
    )
