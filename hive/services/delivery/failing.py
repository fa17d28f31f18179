"""Channels that fail are an alarm: for their owners by other ways, and for administrators.

Mail to people's own addresses is one alarm for all of it, since one relay takes it. What is given
up is named in a notification by other ways, so that nothing disappears silently.
"""

from __future__ import annotations

from collections.abc import Sequence

from hive import clock
from hive.database import transactional
from hive.kinds import EventKind, Severity
from hive.models import Alarm, Channel, Delivery, MailPlace, User
from hive.sentences import listed, say
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.delivery import deliveries
from hive.services.delivery.deliveries import Failure
from hive.services.outbox import condition, outbox, recipients
from hive.services.outbox.condition import Lane
from hive.services.outbox.kinds import DEAD_LETTER, Matter
from hive.services.outbox.outbox import Notice
from hive.services.outbox.routing import OWN_MAIL, Destination

_MAIL = "mail"
_MOST = 20  # that are named
_REMEDY = say(
    "See `hive channel list`; `hive channel test` tries it at once and sends what is waiting."
)


async def after_failure(row: Delivery, failure: Failure) -> None:
    """Report what follows from a delivery that failed."""
    lane = deliveries.lane_of_row(row)
    given_up = [row] if failure.is_permanent else []
    given_up += await deliveries.give_up_old(lane)
    if given_up:
        await _notify_given_up(given_up, failure.answer)
    await report(lane)


async def report(lane: Lane) -> None:
    """Begin or end the alarm of a channel, or of mail."""
    if lane[0] is None:
        await _report_mail()
        return
    channel = await Channel.get_or_none(id=lane[0]).select_related("owner")
    if channel is None:
        await end(lane[0])
        return
    known = condition.of_row(channel)
    if not known.fails or not channel.enabled:
        await end(channel.id)
    elif known.is_broken and known.failing_since is not None:
        named = {"channel": channel.name, "owner": channel.owner.name}
        message = say(
            "The channel %(channel)s of %(owner)s has failed since %(since)s: %(problem)s",
            since=known.failing_since,
            problem=known.last_error,
            **named,
        )
        title = say("The channel %(channel)s of %(owner)s fails", **named)
        await server_alarms.report(
            _subject(channel.id),
            Trouble(
                EventKind.CHANNEL_FAILING,
                title,
                message,
                _REMEDY,
                severity=Severity.WARNING,
                is_outage=False,
            ),
        )
        if not channel.owner.is_admin:
            key = f"channel:{channel.id}:{clock.rfc3339(known.failing_since)}"
            await _notify_owner(channel, Notice(key, _matter(), title, [message]))


async def end(channel_id: int) -> None:
    """The channel works again, is disabled, or is gone."""
    if await Alarm.filter(subject=_subject(channel_id)).exists():
        await server_alarms.report(_subject(channel_id), None)


def _subject(channel_id: int) -> str:
    return f"channel:{channel_id}"


def _matter() -> Matter:
    return Matter(str(EventKind.CHANNEL_FAILING), Severity.WARNING)


@transactional
async def _notify_owner(channel: Channel, notice: Notice) -> None:
    people = await recipients.load([channel.owner_id])
    await outbox.tell_aside(people, notice, recipients.place_of(channel))


async def _report_mail() -> None:
    rows = await MailPlace.exclude(failing_since=None).select_related("user").order_by("user__name")
    broken = [row for row in rows if condition.of_row(row).is_broken]
    if broken:
        names = listed([row.user.name for row in broken], _MOST)
        since = min(row.failing_since for row in broken if row.failing_since is not None)
        message = say(
            "Mail to %(names)s has not been delivered since %(since)s: %(problem)s",
            names=names,
            since=since,
            problem=broken[0].last_error,
        )
        await server_alarms.report(
            _MAIL,
            Trouble(
                EventKind.CHANNEL_FAILING,
                say("Mail is not delivered"),
                message,
                say("See the section [mail] of the configuration."),
                severity=Severity.WARNING,
                is_outage=False,
            ),
        )
    elif not rows and await Alarm.filter(subject=_MAIL).exists():
        await server_alarms.report(_MAIL, None)


@transactional
async def _notify_given_up(rows: Sequence[Delivery], answer: str) -> None:
    """Say once a day what a channel could not deliver: to its people by other ways."""
    first = rows[0]
    if all(row.notification.kind == DEAD_LETTER for row in rows):
        return
    place = Destination(
        channel_id=first.channel_id, name=first.channel_name, kind=first.channel_kind
    )
    by_user: dict[int, list[Delivery]] = {}
    for row in rows:
        by_user.setdefault(row.notification.user_id, []).append(row)
    for user_id, own in by_user.items():
        notice = _dead_letter(place, own, answer)
        await outbox.tell_aside(await recipients.load([user_id]), notice, place)
        others = await recipients.administrators() - {user_id}
        await outbox.tell(await recipients.load(others), notice)


def _dead_letter(place: Destination, rows: Sequence[Delivery], answer: str) -> Notice:
    first = rows[0].notification
    user: User = first.user
    named = (
        say("mail")
        if place.kind == OWN_MAIL
        else say("the channel %(channel)s", channel=place.name)
    )
    count = len(rows)
    title = (
        say(
            "A notification for %(user)s could not be delivered by %(channel)s",
            user=user.name,
            channel=named,
        )
        if count == 1
        else say(
            "%(count)s notifications for %(user)s could not be delivered by %(channel)s",
            count=count,
            user=user.name,
            channel=named,
        )
    )
    lines = [
        *(say("Not delivered: %(title)s", title=row.notification.title) for row in rows[:_MOST]),
        *([say("... and %(count)s more.", count=count - _MOST)] if count > _MOST else []),
        say("To: %(user)s", user=user.name),
        "",
        say("The answer was: %(answer)s", answer=answer),
        "",
        say("Correct the channel, then send it again: hive delivery list --dead shows it."),
        *(["", *first.text.split("\n")] if len(rows) == 1 else []),
    ]
    place_key = f"{place.kind}:{place.channel_id or 0}"
    key = f"dead:{place_key}:{clock.now():%Y-%m-%d}"
    matter = Matter(DEAD_LETTER, Severity.WARNING)
    return Notice(key, matter, title, lines)
