"""Notifying by one more channel of one repository: a rule about it alone, made or extended."""

from __future__ import annotations

from itertools import count

from hive.database import transactional
from hive.models import Rule, RuleChannel
from hive.services import references
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule, ChangeRule
from hive.services.permissions import Actor
from hive.services.repositories import catalogue

_MAX_NAME = 150


@transactional
async def notify_by(actor: Actor, repository_id: int, channel_id: int) -> None:
    """Send what happens to this repository by this channel as well.

    To the actor; where that is the command line, to the owner of the channel. What happens is sent
    by the channels of the rules that match it, so a repository without a rule gets its first one.
    """
    channel = await channels.find_by_id(actor, channel_id)
    person = channel.owner if actor.user_id is None else actor.user_id
    info = await catalogue.find_current(actor, repository_id)
    user = await references.person(actor, person)
    about = Rule.filter(user_id=user.id, repository_id=repository_id, tag=None, owner_id=None)
    rule = await about.order_by("id").first()
    if rule is None:
        name = await _free_name(user.id, f"{info.name}: {channel.name}")
        wanted = AddRule(name=name, channels=[channel_id], repository=repository_id)
        await rules.add(actor, user.id, wanted)
    elif not await RuleChannel.filter(rule_id=rule.id, channel_id=channel_id).exists():
        await rules.change(actor, rule.id, ChangeRule(add_channels=[channel_id]))


async def channels_about(actor: Actor, repository_id: int) -> tuple[str, ...]:
    """The channels of those rules of the actor that are about this repository alone."""
    rows = RuleChannel.filter(rule__repository_id=repository_id).select_related("channel")
    if actor.user_id is not None:
        rows = rows.filter(rule__user_id=actor.user_id)
    return tuple(sorted({row.channel.name for row in await rows}))


async def _free_name(user_id: int, wanted: str) -> str:
    base = wanted[: _MAX_NAME - 10]
    taken = {row["name"] for row in await Rule.filter(user_id=user_id).values("name")}
    numbered = (f"{base} {number}" for number in count(2))
    return base if base not in taken else next(one for one in numbered if one not in taken)
