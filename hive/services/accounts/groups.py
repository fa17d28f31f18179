"""Groups and who belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hive import clock
from hive.database import transactional
from hive.deadlines import require_future
from hive.errors import Conflict, NotFound
from hive.models import Group, Membership
from hive.sentences import say
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
    leads: tuple[str, ...] = ()
    ends: Mapping[str, datetime] = field(default_factory=dict)  # of members who leave by then
    max_repositories: int | None = None
    requires_second_factor: bool = False


@dataclass(frozen=True, kw_only=True)
class AddGroup:
    """A group to add; `members` are users by name or id."""

    name: str
    members: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ChangeGroup:
    """What is to change of a group; what is absent stays as it is.

    members         its members from now on, in place of all that it has
    add_members     further members; `remove_members` takes some out
    add_leads       members who manage the group from now on; `remove_leads` no longer do
    member_ends     members by name, and when they leave; None: they stay
    quota_bytes     a new quota; `no_quota` removes the one there is
    max_repositories  how many its members may own; `no_max_repositories` removes the limit
    requires_second_factor  whether its members need one
    """

    name: str | None = None
    members: Sequence[str] | None = None
    add_members: Sequence[str] = ()
    remove_members: Sequence[str] = ()
    add_leads: Sequence[str] = ()
    remove_leads: Sequence[str] = ()
    member_ends: Mapping[str, datetime | None] = field(default_factory=dict)
    quota_bytes: int | None = None
    no_quota: bool = False
    max_repositories: int | None = None
    no_max_repositories: bool = False
    requires_second_factor: bool | None = None

    @property
    def is_about_members(self) -> bool:
        """Whether that is all: leads may change it."""
        others = (self.name, self.quota_bytes, self.max_repositories, self.requires_second_factor)
        return others == (None,) * 4 and not (self.no_quota or self.no_max_repositories)


@transactional
async def add_group(actor: Actor, wanted: AddGroup) -> GroupInfo:
    """Add a group, for administrators; Conflict names the field `name`."""
    require_admin(actor)
    names.check_account(wanted.name, "group")
    if await Group.filter(name__iexact=wanted.name).exists():
        raise Conflict("There is a group %(name)s already.", field="name", name=wanted.name)
    group = await Group.create(name=wanted.name, created_at=clock.now())
    for member in wanted.members:
        await _join(group, member)
    await audit.record(actor, "group.add", f"group {wanted.name}", members=list(wanted.members))
    return await _info(group)


async def list_groups(actor: Actor) -> list[GroupInfo]:
    """All groups for administrators, their own for everybody else."""
    query = Group.all() if actor.sees_all else Group.filter(id__in=await group_ids(actor))
    return await _infos(await query.order_by("name"))


async def find_group(actor: Actor, reference: str) -> GroupInfo:
    group = await references.group(reference)
    if group is None or not (actor.sees_all or group.id in await group_ids(actor)):
        raise NotFound("There is no group %(reference)r.", reference=reference)
    return await _info(group)


async def find_group_by_id(actor: Actor, group_id: int) -> GroupInfo:
    """One group, for administrators and those who lead it."""
    if not await leads(actor, group_id):
        require_admin(actor)
    return await _info(await _get(group_id))


async def leads(actor: Actor, group_id: int) -> bool:
    """Whether the actor manages the members of the group."""
    if actor.is_admin:
        return True
    led = Membership.filter(group_id=group_id, user_id=actor.user_id, is_lead=True)
    return actor.may_change and await led.exists()


@transactional
async def set_group(actor: Actor, group_id: int, wanted: ChangeGroup) -> GroupInfo:
    """Change what is given: leads of the group its members, administrators everything.

    InvalidInput and Conflict name the field.
    """
    group = await _get(group_id)
    if not wanted.is_about_members or not await leads(actor, group.id):
        require_admin(actor)
    before = await _audited(group)
    if wanted.no_quota or wanted.quota_bytes is not None:
        quotas.check(wanted.quota_bytes)
        group.quota_bytes = None if wanted.no_quota else wanted.quota_bytes
    if wanted.name is not None and wanted.name != group.name:
        names.check_account(wanted.name, "group")
        if await Group.filter(name__iexact=wanted.name).exclude(id=group_id).exists():
            raise Conflict("There is a group %(name)s already.", field="name", name=wanted.name)
        group.name = wanted.name
    if wanted.no_max_repositories or wanted.max_repositories is not None:
        quotas.check_count(wanted.max_repositories)
        group.max_repositories = None if wanted.no_max_repositories else wanted.max_repositories
    if wanted.requires_second_factor is not None:
        group.requires_second_factor = wanted.requires_second_factor
    await group.save()
    is_smaller = await _change_members(group, wanted)
    changed = audit.changes(before, await _audited(group))
    await audit.record(actor, "group.set", f"group {group.name}", **changed)
    events.quotas_changed()
    if is_smaller:
        events.rights_changed(say("members left the group %(group)s", group=group.name))
    return await _info(group)


async def _change_members(group: Group, wanted: ChangeGroup) -> bool:
    """Whether somebody was taken out."""
    more, fewer = list(wanted.add_members), list(wanted.remove_members)
    if wanted.members is not None:
        had = set((await _info(group)).members)
        more += sorted(set(wanted.members) - had)
        fewer += sorted(had - set(wanted.members))
    for member in more:
        await _join(group, member)
    for member in fewer:
        user = await references.existing_user(member)
        await Membership.filter(group_id=group.id, user_id=user.id).delete()
    for names_given, is_lead in ((wanted.add_leads, True), (wanted.remove_leads, False)):
        for member in names_given:
            row = await _membership(group, member)
            row.is_lead = is_lead
            await row.save(update_fields=["is_lead"])
    for member, end in wanted.member_ends.items():
        row = await _membership(group, member)
        if end is not None:
            require_future(end, field="until")
        row.expires_at = end
        await row.save(update_fields=["expires_at"])
    return bool(fewer)


async def _membership(group: Group, member: str) -> Membership:
    user = await references.existing_user(member)
    row = await Membership.get_or_none(group_id=group.id, user_id=user.id)
    if row is None:
        raise NotFound(
            "%(member)s is not a member of %(group)s.", member=user.name, group=group.name
        )
    return row


async def _audited(group: Group) -> dict[str, object]:
    info = await _info(group)
    columns = ("name", "quota_bytes", "max_repositories", "requires_second_factor")
    return {
        **audit.values_of(group, *columns),
        "members": list(info.members),
        "leads": list(info.leads),
        "ends": {name: clock.rfc3339(end) for name, end in info.ends.items()},
    }


@transactional
async def delete_group(actor: Actor, group_id: int) -> None:
    """Delete the group; what was shared with it is no longer shared with it."""
    require_admin(actor)
    group = await _get(group_id)
    await group.delete()
    await audit.record(actor, "group.delete", f"group {group.name}")
    events.rights_changed(say("the group %(group)s was deleted", group=group.name))


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
    members: dict[int, list[Membership]] = {row.id: [] for row in rows}
    for one in await Membership.filter(group_id__in=list(members)).select_related("user"):
        members[one.group_id].append(one)
    return [_as_info(row, members[row.id]) for row in rows]


def _as_info(row: Group, members: Sequence[Membership]) -> GroupInfo:
    return GroupInfo(
        id=row.id,
        name=row.name,
        members=tuple(sorted(one.user.name for one in members)),
        created_at=row.created_at,
        quota_bytes=row.quota_bytes,
        leads=tuple(sorted(one.user.name for one in members if one.is_lead)),
        ends={one.user.name: one.expires_at for one in members if one.expires_at is not None},
        max_repositories=row.max_repositories,
        requires_second_factor=row.requires_second_factor,
    )
