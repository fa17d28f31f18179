"""Adding and changing channels and rules as people do it: saved, then tried, in one call."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hive.errors import Conflict
from hive.kinds import Level, ShareLevel
from hive.services import versions
from hive.services.notifications import channels, rule_preview, rules, trials
from hive.services.notifications.channels import ChannelInfo
from hive.services.notifications.rule_infos import RuleInfo
from hive.services.notifications.rule_preview import Preview
from hive.services.notifications.rules import AddRule, ChangeRule
from hive.services.notifications.trials import Trial
from hive.services.outbox import allowed
from hive.services.permissions import Actor, require_admin
from hive.services.versions import Version


@dataclass(frozen=True, kw_only=True)
class AddChannel:
    """A channel to add; what is absent gets the default named here.

    name      unique among the owner's channels
    kind      email, ntfy, ...: what `channels.offered` lists
    owner     a user by name or id; None: the actor. Only administrators name somebody else
    settings  what the kind needs, by name
    groups    groups whose members may use it
    """

    name: str
    kind: str
    owner: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ChangeChannel:
    """What is to change of a channel; what is absent stays as it is.

    settings      those that change; the others stay, secrets too
    share_levels  groups with their new level; None: no longer shared
    version       what the actor saw: Changed where it is another one by now
    """

    name: str | None = None
    enabled: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    share_levels: Mapping[str, ShareLevel | None] = field(default_factory=dict)
    version: Version | None = None


@dataclass(frozen=True, kw_only=True)
class SavedChannel:
    """The channel as it is now; `trial` is what came of a test message, where one was sent."""

    channel: ChannelInfo
    trial: Trial | None


@dataclass(frozen=True, kw_only=True)
class AllowedAddress:
    """The network that notifications can reach now, and what came of the channel that needs it."""

    network: str
    saved: SavedChannel


@dataclass(frozen=True, kw_only=True)
class SavedRule:
    """The rule as it is now, and what it would have sent lately."""

    rule: RuleInfo
    preview: Preview


async def add_channel(actor: Actor, wanted: AddChannel) -> SavedChannel:
    """Add a channel and send a test message by it; one that does not arrive is no error.

    InvalidInput names the setting that is wrong, Conflict the field `name`. NotFound for an owner
    or group that the actor may not use, Forbidden for a kind that is for administrators.
    """
    info = await channels.add(
        actor,
        wanted.name,
        owner=actor.name if wanted.owner is None else wanted.owner,
        kind=wanted.kind,
        settings=wanted.settings,
        groups=wanted.groups,
    )
    return await _tried(actor, info)


async def change_channel(actor: Actor, channel_id: int, wanted: ChangeChannel) -> SavedChannel:
    """Change a channel; where its settings changed or it was enabled, send a test message by it.

    Raises what `add_channel` does, and Forbidden for a channel that the actor may only use.
    """
    store = functools.partial(
        channels.change,
        actor,
        channel_id,
        name=wanted.name,
        enabled=wanted.enabled,
        settings=wanted.settings or None,
        share_levels=wanted.share_levels,
    )
    info = await versions.holding(channel_id, wanted.version, store)
    if not wanted.settings and not wanted.enabled:
        return SavedChannel(channel=info, trial=None)
    return await _tried(actor, info)


async def _tried(actor: Actor, info: ChannelInfo) -> SavedChannel:
    if await channels.level(actor, info.id) < Level.MANAGE:
        return SavedChannel(channel=info, trial=None)  # the actor has just given it away
    trial = await trials.after_saving(actor, info.id)
    return SavedChannel(channel=await channels.find_by_id(actor, info.id), trial=trial)


async def allow_refused_address(actor: Actor, channel_id: int) -> AllowedAddress:
    """Allow the private address that a channel was refused, and try the channel again.

    For administrators; to strangers there is no such channel. Conflict where no address of it
    waits to be allowed.
    """
    info = await channels.find_by_id(actor, channel_id)
    require_admin(actor)
    address = info.condition.refused_address
    if address is None:
        raise Conflict("No address of this channel is waiting to be allowed.")
    network = await allowed.allow(actor, address)
    return AllowedAddress(network=network, saved=await _tried(actor, info))


async def add_rule(actor: Actor, user: str | int, wanted: AddRule) -> SavedRule:
    """Add a rule for a user: administrators for everybody, others for themselves."""
    info = await rules.add(actor, user, wanted)
    return SavedRule(rule=info, preview=await rule_preview.preview(actor, info.id))


async def change_rule(actor: Actor, rule_id: int, wanted: ChangeRule) -> SavedRule:
    """Change what is given of a rule."""
    store = functools.partial(rules.change, actor, rule_id, wanted)
    info = await versions.holding(rule_id, wanted.version, store)
    return SavedRule(rule=info, preview=await rule_preview.preview(actor, info.id))
