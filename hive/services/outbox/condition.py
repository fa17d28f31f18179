"""How each way to people is: since when it fails, why, and when it is tried next.

A way (`Lane`) is a channel, or the mail to somebody's own address. Back-off belongs to it and not
to a message: while it fails, one message at a time is tried, and the first that arrives frees all
the others.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.functions import Count
from tortoise.queryset import QuerySet

from hive import clock, signals
from hive.database import after_commit, transactional
from hive.kinds import DeliveryState
from hive.models import Channel, Delivery, MailPlace

Lane = tuple[int | None, int]  # a channel and 0; or None and whose own address

_BACKOFF = (30, 120, 300, 900, 1800, 3600)  # seconds
_LONGEST_WITH_NEWER = 300  # while something waits that was never tried
_LONGEST_WISH = 3600.0  # seconds by which the other side may put us off
_HICCUP = timedelta(minutes=10)  # for which a way may fail before it counts as broken
_HICCUPS = 3
_MAX_ERROR = 500
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ChannelCondition:
    """`next_try` is None where it works, or where trying again cannot help."""

    failing_since: datetime | None = None
    failures: int = 0
    next_try: datetime | None = None
    last_error: str = ""
    worked_at: datetime | None = None
    refused_address: str | None = None

    @property
    def fails(self) -> bool:
        return self.failing_since is not None

    @property
    def is_broken(self) -> bool:
        """Whether it is more than a hiccup."""
        if self.failing_since is None:
            return False
        is_old = clock.now() - self.failing_since >= _HICCUP
        is_lasting = self.next_try is None or self.refused_address is not None
        return is_lasting or self.failures >= _HICCUPS or is_old


def of_row(row: Channel | MailPlace | None) -> ChannelCondition:
    if row is None:
        return ChannelCondition()
    return ChannelCondition(
        failing_since=row.failing_since,
        failures=row.failures,
        next_try=row.next_try,
        last_error=row.last_error,
        worked_at=row.worked_at,
        refused_address=row.refused_address if isinstance(row, Channel) else None,
    )


def lane_of(channel_id: int | None, user_id: int) -> Lane:
    return channel_id, 0 if channel_id is not None else user_id


async def failing() -> Mapping[Lane, ChannelCondition]:
    """Those that fail; in two queries."""
    found: dict[Lane, ChannelCondition] = {}
    for channel in await Channel.exclude(failing_since=None):
        found[channel.id, 0] = of_row(channel)
    for place in await MailPlace.exclude(failing_since=None):
        found[None, place.user_id] = of_row(place)
    return found


async def of_mail(user_ids: Collection[int]) -> Mapping[int, ChannelCondition]:
    """How mail to the own addresses of these users is, where something is known of it."""
    rows = await MailPlace.filter(user_id__in=list(user_ids))
    return {row.user_id: of_row(row) for row in rows}


async def get(lane: Lane) -> ChannelCondition:
    return of_row(await _row(lane))


async def _row(lane: Lane) -> Channel | MailPlace | None:
    channel_id, user_id = lane
    if channel_id is not None:
        return await Channel.get_or_none(id=channel_id)
    return await MailPlace.get_or_none(user_id=user_id)


@transactional
async def note_works(lane: Lane) -> bool:
    """It took a message: all that waits is due at once. Whether it had failed before."""
    row = await _row(lane)
    if row is None:
        return False
    had_failed = row.failing_since is not None
    row.failing_since, row.next_try, row.failures, row.last_error = None, None, 0, ""
    row.worked_at = clock.now()
    await _save(row)
    if had_failed:
        after_commit(lambda: signals.tell(signals.DeliveriesWaiting()))
    return had_failed


@transactional
async def note_fails(
    lane: Lane,
    error: str,
    *,
    is_permanent: bool,
    retry_after: float | None = None,
    address: str | None = None,
) -> None:
    """It took no message; `address` is a private one that nobody allowed."""
    row = await _row(lane)
    if row is None and lane[0] is not None:
        return  # the channel was deleted meanwhile
    now = clock.now()
    row = row or MailPlace(user_id=lane[1])
    row.failing_since = row.failing_since or now
    row.failures += 1
    row.last_error = error[:_MAX_ERROR]
    row.next_try = None
    if not is_permanent:
        row.next_try = now + pause(row.failures, retry_after, has_newer=await _has_newer(lane))
    if isinstance(row, Channel):
        row.refused_address = address
        await _save(row)
    else:
        await row.save()


async def _save(row: Channel | MailPlace) -> None:
    names = ["failing_since", "failures", "next_try", "last_error", "worked_at"]
    if isinstance(row, Channel):
        names.append("refused_address")
        if row.failing_since is None:
            row.refused_address = None
    await row.save(update_fields=names)


def pause(failures: int, retry_after: float | None = None, *, has_newer: bool) -> timedelta:
    """How long to wait after so many failures in a row."""
    usual = float(_BACKOFF[min(failures, len(_BACKOFF)) - 1])
    if has_newer:
        usual = min(usual, _LONGEST_WITH_NEWER)
    jittered = usual * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
    return timedelta(seconds=max(jittered, min(retry_after or 0.0, _LONGEST_WISH)))


async def _has_newer(lane: Lane) -> bool:
    rows = waiting(lane).filter(attempts=0, next_at__lte=clock.now())
    return await rows.exists()


def waiting(lane: Lane) -> QuerySet[Delivery]:
    """What waits to be sent by it."""
    channel_id, user_id = lane
    query = Delivery.filter(state=DeliveryState.WAITING, channel_id=channel_id)
    return query if channel_id is not None else query.filter(notification__user_id=user_id)


@transactional
async def bring_back(latest: datetime) -> int:
    """Try at once what a wrong clock had put off beyond `latest`."""
    values = {"next_try": clock.now()}
    count = await Channel.filter(next_try__gt=latest).update(**values)
    return count + await MailPlace.filter(next_try__gt=latest).update(**values)


@transactional
async def try_at_once(lane: Lane) -> None:
    """Have it tried without waiting any longer: something about it has changed."""
    channel_id, user_id = lane
    now = clock.now()
    if channel_id is not None:
        await Channel.filter(id=channel_id).exclude(next_try=None).update(next_try=now)
    else:
        await MailPlace.filter(user_id=user_id).exclude(next_try=None).update(next_try=now)
    after_commit(lambda: signals.tell(signals.DeliveriesWaiting()))


async def counts(channel_ids: Collection[int]) -> Mapping[int, tuple[int, int]]:
    """Of each channel, how many messages wait, and how many were given up since it fails."""
    waiting_rows = Delivery.filter(channel_id__in=list(channel_ids), state=DeliveryState.WAITING)
    waits = {
        row["channel_id"]: row["count"]
        for row in await waiting_rows.annotate(count=Count("id"))
        .group_by("channel_id")
        .values("channel_id", "count")
    }
    begun = {
        row.id: row.failing_since
        for row in await Channel.filter(id__in=list(channel_ids)).exclude(failing_since=None)
        if row.failing_since is not None
    }
    given_up: dict[int, int] = dict.fromkeys(channel_ids, 0)
    if begun:
        dead = Delivery.filter(channel_id__in=list(begun), state=DeliveryState.DEAD)
        since = min(begun.values()) - _DAY
        for row in await dead.filter(created_at__gte=since).values("channel_id", "created_at"):
            given_up[row["channel_id"]] += row["created_at"] >= begun[row["channel_id"]] - _DAY
    return {one: (waits.get(one, 0), given_up[one]) for one in channel_ids}
