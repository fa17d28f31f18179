"""What the forms offer to choose from, asked for with one call each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.services.accounts import groups, users
from hive.services.keys import keys
from hive.services.keys.infos import KeyInfo
from hive.services.notifications import rules
from hive.services.notifications.channels import ChannelInfo, KindInfo
from hive.services.permissions import Actor
from hive.services.storage import locations
from hive.services.storage.locations import LocationInfo

MAX_SUGGESTED_KEYS = 100


@dataclass(frozen=True, kw_only=True)
class SharingChoices:
    """owners: empty for those who may only choose themselves. groups: those that may be named."""

    owners: Sequence[str]
    groups: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RepositoryChoices(SharingChoices):
    """What a new repository may have; `location` is the one it gets where none is chosen."""

    locations: Sequence[LocationInfo]
    location: str
    keys: Sequence[KeyInfo]


@dataclass(frozen=True, kw_only=True)
class MachineChoices(SharingChoices):
    """What a new machine may have; `key_names` are the first of the actor's own keys."""

    locations: Sequence[LocationInfo]
    location: str
    key_names: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class BulkChoices(SharingChoices):
    """What several repositories may get at once; `channels` are those that can notify the actor."""

    channels: Sequence[ChannelInfo]


async def owners(actor: Actor) -> list[str]:
    """Whom the actor may give something to; empty where that is only themselves."""
    return [user.name for user in await users.list_users(actor)] if actor.manages_all else []


async def channel_owners(actor: Actor, kind: KindInfo) -> list[str]:
    """Whom the actor may give a channel of this kind to."""
    found = await users.list_users(actor) if actor.manages_all else []
    return [user.name for user in found if user.is_admin or not kind.administrators_only]


async def group_names(actor: Actor) -> list[str]:
    """The groups that the actor may share something with."""
    return [group.name for group in await groups.list_groups(actor)]


async def for_sharing(actor: Actor) -> SharingChoices:
    """For a form that changes something that is there."""
    return SharingChoices(owners=await owners(actor), groups=await group_names(actor))


async def other_locations(actor: Actor, here: str) -> list[str]:
    """The locations that something could be moved to from here."""
    return [one.name for one in await locations.list_locations(actor) if one.name != here]


async def for_bulk(actor: Actor) -> BulkChoices:
    """For the form that changes several repositories."""
    usable = [] if actor.user_id is None else (await rules.choices(actor, actor.user_id)).channels
    return BulkChoices(owners=await owners(actor), groups=await group_names(actor), channels=usable)


async def for_new_repository(actor: Actor) -> RepositoryChoices:
    """For the form that creates a repository."""
    places = await locations.list_locations(actor)
    return RepositoryChoices(
        owners=await owners(actor),
        groups=await group_names(actor),
        locations=places,
        location=next((place.name for place in places if place.is_default), ""),
        keys=await keys.list_keys(actor),
    )


async def for_new_machine(actor: Actor) -> MachineChoices:
    """For the form that adds a machine."""
    places = await locations.list_locations(actor)
    return MachineChoices(
        owners=await owners(actor),
        groups=await group_names(actor),
        locations=places,
        location=next((place.name for place in places if place.is_default), ""),
        key_names=await keys.own_key_names(actor, limit=MAX_SUGGESTED_KEYS),
    )
