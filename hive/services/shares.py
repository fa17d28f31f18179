"""Sharing repositories, keys and channels with groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hive import clock
from hive.deadlines import require_future
from hive.errors import NotFound
from hive.kinds import ShareLevel
from hive.models import ChannelShare, Group, Key, KeyShare, Repository, RepositoryShare
from hive.services import references
from hive.services.permissions import Actor, Thing, group_ids, shares_of


@dataclass(frozen=True)
class GroupShare:
    group: str
    level: ShareLevel


async def levels_of(thing: Thing) -> dict[str, str]:
    """The groups that it is shared with, by name, and how far."""
    rows = await shares_of(thing).select_related("group").order_by("group__name")
    return {
        row.group.name: f"{row.level} until {clock.rfc3339(row.expires_at)}"
        if row.expires_at
        else str(row.level)
        for row in rows
    }


async def set_levels(actor: Actor, thing: Thing, levels: Mapping[str, ShareLevel | None]) -> None:
    """Share with each group at its level, None: no longer; other groups keep what they have."""
    for group, level in levels.items():
        if level is None:
            await unshare(actor, thing, [group])
        else:
            await share(actor, thing, [group], level)


async def share(
    actor: Actor,
    thing: Thing,
    groups: Sequence[str],
    level: ShareLevel,
    until: datetime | None = None,
) -> None:
    """Share with more groups, or at another level. Call inside a transaction.

    The share ends at `until`; without one, an end that it has stays.
    """
    if until is not None:
        require_future(until, field="share_until")
    for name in groups:
        group = await _usable_group(actor, name)
        values: dict[str, Any] = {"level": level}
        if until is not None:
            values["expires_at"] = until
        group_id = group.id
        if isinstance(thing, Repository):
            await RepositoryShare.update_or_create(
                values, repository_id=thing.id, group_id=group_id
            )
        elif isinstance(thing, Key):
            await KeyShare.update_or_create(values, key_id=thing.id, group_id=group_id)
        else:
            await ChannelShare.update_or_create(values, channel_id=thing.id, group_id=group_id)


async def unshare(actor: Actor, thing: Thing, groups: Sequence[str]) -> None:
    """Share no longer with these groups.

    Whoever may change the thing sees its shares and may end each of them, also one with a group
    that they have left; of other groups, only those that the actor sees can be named.
    """
    for name in groups:
        if not await shares_of(thing).filter(group__name=name).delete():
            group = await _usable_group(actor, name)
            await shares_of(thing).filter(group_id=group.id).delete()


async def require_usable(actor: Actor, groups: Iterable[str]) -> None:
    """Raise NotFound for a group that the actor may not share with."""
    for name in groups:
        await _usable_group(actor, name)


async def _usable_group(actor: Actor, name: str) -> Group:
    """A group that the actor belongs to; administrators may use all."""
    group = await references.group(name)
    if group is None or not (actor.manages_all or group.id in await group_ids(actor)):
        raise NotFound("There is no group %(name)r.", name=name)
    return group
