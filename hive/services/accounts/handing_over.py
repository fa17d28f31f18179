"""Handing over what belongs to somebody who leaves: to another user, in one step.

Repositories, keys with all that they open, channels that others use, and the rules of others about
the user. Triggers belong to their repositories. What is the user's alone, their other channels and
their own rules, stays with the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.database import transactional
from hive.errors import Conflict, InvalidInput
from hive.models import (
    Channel,
    ChannelShare,
    Key,
    Repository,
    Rule,
    RuleChannel,
    Trigger,
    User,
)
from hive.sentences import say
from hive.services import audit, events, references
from hive.services.outbox import sending
from hive.services.permissions import Actor, require_admin


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """What goes to another user; `conflicts` say what keeps it from going, one sentence each."""

    giver: str
    receiver: str
    repositories: Sequence[str]
    keys: Sequence[str]
    channels: Sequence[str]
    triggers: Sequence[str]
    rules: Sequence[str]
    conflicts: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not (self.repositories or self.keys or self.channels or self.rules)


@dataclass(frozen=True)
class _Things:
    repositories: Sequence[Repository]
    keys: Sequence[Key]
    channels: Sequence[Channel]
    triggers: Sequence[Trigger]
    rules: Sequence[Rule]


async def preview(actor: Actor, user_id: int, receiver: str) -> HandOver:
    """What `hand_over` would do; for administrators."""
    giver, taker = await _both(actor, user_id, receiver)
    return await _described(giver, taker, await _things(giver))


@transactional
async def hand_over(actor: Actor, user_id: int, receiver: str) -> HandOver:
    """Hand everything over, all of it or nothing; sessions that run go on.

    Conflict where the receiver has something of the same name or the same key.
    """
    giver, taker = await _both(actor, user_id, receiver)
    things = await _things(giver)
    found = await _described(giver, taker, things)
    if found.conflicts:
        raise Conflict(found.conflicts[0], field="receiver")
    for rows in (things.repositories, things.keys, things.channels, things.rules):
        for row in rows:
            row.owner_id = taker.id
            await row.save(update_fields=["owner_id"])
    await audit.record(
        actor,
        "user.hand-over",
        f"user {giver.name}",
        **audit.changes({"owner": giver.name}, {"owner": taker.name}),
        repositories=list(found.repositories) or None,
        keys=list(found.keys) or None,
        channels=list(found.channels) or None,
        rules=list(found.rules) or None,
    )
    events.quotas_changed()
    events.rights_changed(
        say("what belonged to %(giver)s belongs to %(to)s", giver=giver.name, to=taker.name)
    )
    return found


async def _both(actor: Actor, user_id: int, receiver: str) -> tuple[User, User]:
    require_admin(actor)
    giver = await references.person_by_id(actor, user_id)
    taker = await references.person(actor, receiver)
    if giver.id == taker.id:
        raise InvalidInput("Name another user, who is to get it.", field="receiver")
    return giver, taker


async def _things(giver: User) -> _Things:
    repositories = await Repository.filter(owner_id=giver.id).order_by("name", "id")
    own = {row.id: row for row in await Channel.filter(owner_id=giver.id).order_by("name")}
    linked = RuleChannel.filter(channel_id__in=list(own)).exclude(rule__user_id=giver.id)
    used = {row.channel_id for row in await linked}
    used |= {row.channel_id for row in await ChannelShare.filter(channel_id__in=list(own))}
    about = Rule.filter(owner_id=giver.id).exclude(user_id=giver.id).select_related("user")
    return _Things(
        repositories,
        await Key.filter(owner_id=giver.id).order_by("name"),
        [row for row in own.values() if row.id in used],
        await Trigger.filter(repository_id__in=[row.id for row in repositories]).order_by("name"),
        await about.order_by("id"),
    )


async def _described(giver: User, taker: User, things: _Things) -> HandOver:
    return HandOver(
        giver=giver.name,
        receiver=taker.name,
        repositories=[row.name for row in things.repositories],
        keys=[row.name for row in things.keys],
        channels=[row.name for row in things.channels],
        triggers=[row.name for row in things.triggers],
        rules=[f"{row.user.name}/{row.name}" for row in things.rules],
        conflicts=[
            *_conflicts_of(taker),
            *await _conflicts_of_repositories(taker, things.repositories),
            *await _conflicts_of_keys(taker, things.keys),
            *await _conflicts_of_channels(taker, things.channels),
        ],
    )


def _conflicts_of(taker: User) -> Sequence[str]:
    if taker.enabled and taker.keys_enabled:
        return []
    return [say("%(user)s is disabled: machines would stop. Choose another one.", user=taker.name)]


async def _conflicts_of_repositories(taker: User, rows: Sequence[Repository]) -> Sequence[str]:
    theirs = Repository.filter(owner_id=taker.id, deleted_at=None)
    taken = {word for row in await theirs for word in (row.name, row.directory)}
    return [
        say("%(user)s has a repository %(name)s already.", user=taker.name, name=row.name)
        for row in rows
        if row.deleted_at is None and row.name in taken
    ]


async def _conflicts_of_keys(taker: User, rows: Sequence[Key]) -> Sequence[str]:
    theirs = await Key.filter(owner_id=taker.id)
    names, prints = {row.name for row in theirs}, {row.fingerprint for row in theirs}
    return [
        say("%(user)s has a key %(name)s already.", user=taker.name, name=row.name)
        for row in rows
        if row.name in names
    ] + [
        say(
            "%(user)s has stored the same key as %(name)s: delete one of the two.",
            user=taker.name,
            name=row.name,
        )
        for row in rows
        if row.fingerprint in prints
    ]


async def _conflicts_of_channels(taker: User, rows: Sequence[Channel]) -> Sequence[str]:
    taken = {row.name for row in await Channel.filter(owner_id=taker.id)}
    return [
        say("%(user)s has a channel %(name)s already.", user=taker.name, name=row.name)
        for row in rows
        if row.name in taken
    ] + [
        say("Only administrators may have the channel %(name)s.", name=row.name)
        for row in rows
        if sending.is_for_administrators(row.kind) and not taker.is_admin
    ]
