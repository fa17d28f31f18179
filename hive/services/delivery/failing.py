"""Channels that fail are an alarm: for their owners by other ways, and for administrators.

Mail to people's own addresses is one alarm for all of it, since one relay takes it. What is given
up is named in a notification by other ways, so that nothing disappears silently.
"""

from __future__ import annotations

from collections.abc import Sequence

from hive import clock, formats
from hive.database import transactional
from hive.kinds import EventKind, Severity
from hive.models import Alarm, Channel, Delivery, MailPlace, User
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.delivery import deliveries
from hive.services.delivery.deliveries import Failure
from hive.services.outbox import condition, outbox, recipients, texts
from hive.services.outbox.condition import Lane
from hive.services.outbox.kinds import DEAD_LETTER, Matter
from hive.services.outbox.outbox import Notice
from hive.services.outbox.routing import OWN_MAIL, Destination

_MAIL = "mail"
_MOST = 20  # that are named
_REMEDY = "See `hive channel list`; `hive channel test` tries it at once and frees what waits."


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
        since = formats.moment(known.failing_since)
        named = f"{channel.name} of {channel.owner.name}"
        message = f"The channel {named} has failed since {since}: {known.last_error}"
        title = f"The channel {named} fails"
        await server_alarms.report(
            _subject(channel.id),
            Trouble(
                EventKind.CHANNEL_FAILING,
                texts.one_line(title),
                texts.one_line(message, 1_000),
                _REMEDY,
                severity=Severity.WARNING,
                is_outage=False,
            ),
        )
        if not channel.owner.is_admin:
            key = f"channel:{channel.id}:{clock.rfc3339(known.failing_since)}"
            await _notify_owner(channel, Notice(key, _matter(), title, message))


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
        names = ", ".join(row.user.name for row in broken[:_MOST])
        if len(broken) > _MOST:
            names += f" and {len(broken) - _MOST} more"
        since = min(row.failing_since for row in broken if row.failing_since is not None)
        message = (
            f"Mail to {names} has not been delivered since {formats.moment(since)}:"
            f" {broken[0].last_error}"
        )
        await server_alarms.report(
            _MAIL,
            Trouble(
                EventKind.CHANNEL_FAILING,
                "Mail is not delivered",
                texts.one_line(message, 1_000),
                "See the section [mail] of the configuration.",
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
    named = "mail" if place.kind == OWN_MAIL else f"the channel {place.name}"
    count = f"{len(rows)} notifications" if len(rows) > 1 else "a notification"
    title = f"{count[:1].upper()}{count[1:]} for {user.name} could not be delivered by {named}"
    lines = [
        *(f"Not delivered: {row.notification.title}" for row in rows[:_MOST]),
        *([f"... and {len(rows) - _MOST} more."] if len(rows) > _MOST else []),
        f"To: {user.name}",
        "",
        f"The answer was: {texts.one_line(answer, 500)}",
        "",
        "Correct the channel, then send it again: hive delivery list --dead shows it.",
        *(["", *first.text.split("\n")] if len(rows) == 1 else []),
    ]
    place_key = f"{place.kind}:{place.channel_id or 0}"
    key = f"dead:{place_key}:{clock.now():%Y-%m-%d}"
    matter = Matter(DEAD_LETTER, Severity.WARNING)
    return Notice(key, matter, texts.one_line(title), texts.whole_text(lines))
