"""Sharing repositories and keys with groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hive.errors import NotFound
from hive.kinds import ShareLevel
from hive.models import Group, Key, KeyShare, Repository, RepositoryShare
from hive.services import references
from hive.services.permissions import Actor, group_ids


@dataclass(frozen=True)
class GroupShare:
    group: str
    level: ShareLevel


async def set_levels(
    actor: Actor, thing: Repository | Key, levels: Mapping[str, ShareLevel | None]
) -> None:
    """Share with each group at its level, None: no longer; other groups keep what they have."""
    for group, level in levels.items():
        if level is None:
            await unshare(actor, thing, [group])
        else:
            await share(actor, thing, [group], level)


async def share(
    actor: Actor, thing: Repository | Key, groups: Sequence[str], level: ShareLevel
) -> None:
    """Share with more groups, or at another level. Call inside a transaction."""
    for name in groups:
        group = await _usable_group(actor, name)
        if isinstance(thing, Repository):
            await RepositoryShare.update_or_create(
                {"level": level}, repository_id=thing.id, group_id=group.id
            )
        else:
            await KeyShare.update_or_create({"level": level}, key_id=thing.id, group_id=group.id)


async def unshare(actor: Actor, thing: Repository | Key, groups: Sequence[str]) -> None:
    """Share no longer with these groups; only groups that the actor sees can be named."""
    for name in groups:
        group = await _usable_group(actor, name)
        if isinstance(thing, Repository):
            await RepositoryShare.filter(repository_id=thing.id, group_id=group.id).delete()
        else:
            await KeyShare.filter(key_id=thing.id, group_id=group.id).delete()


async def _usable_group(actor: Actor, name: str) -> Group:
    """A group that the actor belongs to; administrators may use all."""
    group = await references.group(name)
    if group is None or not (actor.is_admin or group.id in await group_ids(actor)):
        raise NotFound("There is no group %(name)r.", name=name)
    return group
