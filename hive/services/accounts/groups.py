"""Groups and who belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, NotFound
from hive.models import Group, Membership
from hive.services import audit, events, names, references
from hive.services.permissions import Actor, group_ids, require_admin
from hive.services.repositories import quotas


@dataclass(frozen=True, kw_only=True)
class GroupInfo:
    id: int
    name: str
    members: tuple[str, ...]
    created_at: datetime
    quota_bytes: int | None


@transactional
async def add_group(actor: Actor, name: str, *, members: Sequence[str] = ()) -> GroupInfo:
    require_admin(actor)
    names.check_account(name, "group")
    if await Group.filter(name__iexact=name).exists():
        raise Conflict("There is a group %(name)s already.", field="name", name=name)
    group = await Group.create(name=name, created_at=clock.now())
    for member in members:
        await _join(group, member)
    await audit.record(actor, "group.add", f"group {name}", members=list(members))
    return await _info(group)


async def list_groups(actor: Actor) -> list[GroupInfo]:
    """All groups for administrators, their own for everybody else."""
    query = Group.all() if actor.is_admin else Group.filter(id__in=await group_ids(actor))
    return await _infos(await query.order_by("name"))


async def find_group(actor: Actor, reference: str) -> GroupInfo:
    group = await references.group(reference)
    if group is None or not (actor.is_admin or group.id in await group_ids(actor)):
        raise NotFound("There is no group %(reference)r.", reference=reference)
    return await _info(group)


async def find_group_by_id(actor: Actor, group_id: int) -> GroupInfo:
    """One group, for administrators."""
    require_admin(actor)
    return await _info(await _get(group_id))


@transactional
async def set_group(
    actor: Actor,
    group_id: int,
    *,
    name: str | None = None,
    members: Sequence[str] | None = None,
    add_members: Sequence[str] = (),
    remove_members: Sequence[str] = (),
    quota_bytes: int | None = None,
    no_quota: bool = False,
) -> GroupInfo:
    """Change what is given; `members` are all that it has from now on, by their names."""
    require_admin(actor)
    group = await _get(group_id)
    wanted = None if no_quota else quota_bytes or group.quota_bytes
    changes_quota = wanted != group.quota_bytes
    if changes_quota:
        quotas.check(wanted)
        group.quota_bytes = wanted
        await group.save()
    if name is not None and name != group.name:
        names.check_account(name, "group")
        if await Group.filter(name__iexact=name).exclude(id=group_id).exists():
            raise Conflict("There is a group %(name)s already.", field="name", name=name)
        group.name = name
        await group.save()
    if members is not None:
        had = set((await _info(group)).members)
        add_members = [*add_members, *sorted(set(members) - had)]
        remove_members = [*remove_members, *sorted(had - set(members))]
    for member in add_members:
        await _join(group, member)
    for member in remove_members:
        user = await references.existing_user(member)
        await Membership.filter(group_id=group.id, user_id=user.id).delete()
    await audit.record(
        actor,
        "group.set",
        f"group {group.name}",
        name=name,
        added=list(add_members) or None,
        removed=list(remove_members) or None,
        quota_bytes=wanted if changes_quota else None,
        no_quota=wanted is None if changes_quota else None,
    )
    events.quotas_changed()
    if remove_members:
        events.rights_changed(f"members left the group {group.name}")
    return await _info(group)


@transactional
async def delete_group(actor: Actor, group_id: int) -> None:
    """Delete the group; what was shared with it is no longer shared with it."""
    require_admin(actor)
    group = await _get(group_id)
    await group.delete()
    await audit.record(actor, "group.delete", f"group {group.name}")
    events.rights_changed(f"the group {group.name} was deleted")


async def _get(group_id: int) -> Group:
    group = await Group.get_or_none(id=group_id)
    if group is None:
        raise NotFound("There is no such group.")
    return group


async def _join(group: Group, member: str) -> None:
    user = await references.existing_user(member)
    if not await Membership.filter(group_id=group.id, user_id=user.id).exists():
        await Membership.create(group_id=group.id, user_id=user.id, created_at=clock.now())


async def _info(group: Group) -> GroupInfo:
    return (await _infos([group]))[0]


async def _infos(rows: Sequence[Group]) -> list[GroupInfo]:
    members: dict[int, list[str]] = {row.id: [] for row in rows}
    for one in await Membership.filter(group_id__in=list(members)).select_related("user"):
        members[one.group_id].append(one.user.name)
    return [
        GroupInfo(
            id=row.id,
            name=row.name,
            members=tuple(sorted(members[row.id])),
            created_at=row.created_at,
            quota_bytes=row.quota_bytes,
        )
        for row in rows
    ]
