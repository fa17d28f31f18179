"""Accounts, memberships and shares that end: a warning before, and the end itself.

Keys end by themselves, at the gate; their warning: hive/services/keys/expiry.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.database import transactional
from hive.kinds import Severity
from hive.models import (
    ChannelShare,
    KeyShare,
    Membership,
    RepositoryShare,
    User,
)
from hive.sentences import Sentence, say
from hive.services import audit, events
from hive.services.accounts import users
from hive.services.outbox import outbox, recipients
from hive.services.outbox.expiries import WARN_BEFORE, step_of
from hive.services.outbox.kinds import ACCESS_EXPIRES, Matter
from hive.services.outbox.outbox import Notice
from hive.services.permissions import SYSTEM

_AT_ONCE = 200  # of each kind and look; the others come with the next
_Share = RepositoryShare | KeyShare | ChannelShare
# By what is shared, which is the name of its column as well.
_SHARES: dict[str, type[_Share]] = {
    "repository": RepositoryShare,
    "key": KeyShare,
    "channel": ChannelShare,
}


@dataclass(frozen=True)
class _Ending:
    """Something that ends, and whom that concerns."""

    key: str
    expires_at: datetime
    people: Collection[int]
    before: Sentence
    after: Sentence


async def look() -> int:
    """Warn of what ends soon, and end what is over; how many people were notified."""
    now = clock.now()
    told = 0
    for ending in [*await _users(now), *await _memberships(now), *await _shares(now)]:
        told += await _warn(ending, now)
    await end_what_is_over(now)
    return told


async def end_what_is_over(now: datetime) -> None:
    """End accounts, memberships and shares whose time has come."""
    over = User.filter(expires_at__lte=now)
    on = [row for row in await over.limit(_AT_ONCE) if not row.is_disabled]
    for user in on:
        await users.end_account(user.id)
    for row in await Membership.filter(expires_at__lte=now).limit(_AT_ONCE):
        await _end_membership(row.id)
    for kind, model in _SHARES.items():
        for share in await model.filter(expires_at__lte=now).limit(_AT_ONCE):
            await _end_share(kind, share.id)


@transactional
async def _end_membership(membership_id: int) -> None:
    row = await Membership.get_or_none(id=membership_id).select_related("user", "group")
    if row is None:
        return
    await row.delete()
    group = row.group.name
    await audit.record(SYSTEM, "membership.expired", f"group {group}", member=row.user.name)
    events.quotas_changed()
    events.rights_changed(say("members left the group %(group)s", group=group))


@transactional
async def _end_share(kind: str, share_id: int) -> None:
    row = await _SHARES[kind].get_or_none(id=share_id).select_related("group", kind)
    if row is None:
        return
    thing = getattr(row, kind)
    await row.delete()
    await audit.record(SYSTEM, "share.expired", f"{kind} {thing.name}", group=row.group.name)
    events.rights_changed(say("a share with the group %(group)s ended", group=row.group.name))


async def _users(now: datetime) -> list[_Ending]:
    rows = User.filter(**_due(now)).order_by("expires_at").limit(_AT_ONCE)
    administrators = await recipients.administrators()
    return [
        _Ending(
            f"user:{row.id}",
            row.expires_at,
            {row.id, *administrators},
            say("The account %(name)s ends on %(until)s.", name=row.name, until=row.expires_at),
            say("The account %(name)s has ended.", name=row.name),
        )
        for row in await rows
        if row.expires_at is not None
    ]


async def _memberships(now: datetime) -> list[_Ending]:
    rows = Membership.filter(**_due(now)).order_by("expires_at").limit(_AT_ONCE)
    found = []
    for row in await rows.select_related("user", "group"):
        assert row.expires_at is not None  # noqa: S101 - so the query says
        led = Membership.filter(group_id=row.group_id, is_lead=True)
        leads = {one.user_id for one in await led}
        names = {"name": row.user.name, "group": row.group.name}
        found.append(
            _Ending(
                f"member:{row.id}",
                row.expires_at,
                {row.user_id, *(leads or await recipients.administrators())},
                say(
                    "%(name)s is a member of the group %(group)s until %(until)s.",
                    until=row.expires_at,
                    **names,
                ),
                say("%(name)s is no longer a member of the group %(group)s.", **names),
            )
        )
    return found


async def _shares(now: datetime) -> list[_Ending]:
    found = []
    for kind, model in _SHARES.items():
        rows = model.filter(**_due(now)).order_by("expires_at").limit(_AT_ONCE)
        for row in await rows.select_related("group", kind):
            assert row.expires_at is not None  # noqa: S101 - so the query says
            thing = getattr(row, kind)
            members = Membership.filter(group_id=row.group_id)
            names = {"name": thing.name, "group": row.group.name}
            found.append(
                _Ending(
                    f"share:{kind}:{row.id}",
                    row.expires_at,
                    {thing.owner_id, *[one.user_id for one in await members]},
                    say(
                        "%(name)s is shared with the group %(group)s until %(until)s.",
                        until=row.expires_at,
                        **names,
                    ),
                    say("%(name)s is no longer shared with the group %(group)s.", **names),
                )
            )
    return found


def _due(now: datetime) -> dict[str, datetime]:
    return {
        "expires_at__gt": now - timedelta(days=1),
        "expires_at__lte": now + WARN_BEFORE[0],
    }


@transactional
async def _warn(ending: _Ending, now: datetime) -> int:
    step = step_of(ending.expires_at, now)
    if step is None:
        return 0
    is_over = ending.expires_at <= now
    text = ending.after if is_over else ending.before
    title = say("Access has ended") if is_over else say("Access ends soon")
    moment = clock.rfc3339(ending.expires_at)
    notice = Notice(
        f"{ACCESS_EXPIRES}:{ending.key}:{moment}:{step.days}",
        Matter(ACCESS_EXPIRES, Severity.WARNING),
        title,
        [text],
    )
    return await outbox.tell(await recipients.load(ending.people), notice)
