"""What depends on a user: what stops, or is no longer watched by them, when they are disabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.models import Channel, Key, Repository, Rule, RuleChannel, Session, User
from hive.sentences import listed, say
from hive.services.permissions import Actor, require_admin

_MOST = 5  # that are named


@dataclass(frozen=True, kw_only=True)
class Dependents:
    """`channels` and `rules` are those that others use, or that are about this user."""

    user: str
    repositories: Sequence[str]
    keys: Sequence[str]
    sessions: int
    channels: Sequence[str]
    rules: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not (self.repositories or self.keys or self.sessions or self.channels or self.rules)

    @property
    def sentences(self) -> list[str]:
        found: list[str] = []
        if self.keys:
            keys, count = _named(self.keys), len(self.keys)
            found.append(
                say("1 key will be refused: %(keys)s.", keys=keys)
                if count == 1
                else say("%(count)s keys will be refused: %(keys)s.", count=count, keys=keys)
            )
        if self.sessions:
            found.append(
                say("1 running session ends.")
                if self.sessions == 1
                else say("%(count)s running sessions end.", count=self.sessions)
            )
        if self.repositories:
            names, count = _named(self.repositories), len(self.repositories)
            found.append(
                say(
                    "%(user)s owns 1 repository: %(names)s. Its alarms go to the administrators.",
                    user=self.user,
                    names=names,
                )
                if count == 1
                else say(
                    "%(user)s owns %(count)s repositories: %(names)s. Their alarms go to the"
                    " administrators.",
                    user=self.user,
                    count=count,
                    names=names,
                )
            )
        if self.channels:
            found.append(
                say("Others use these channels: %(channels)s.", channels=_named(self.channels))
            )
        if self.rules:
            found.append(
                say(
                    "These rules of others are about %(user)s: %(rules)s.",
                    user=self.user,
                    rules=_named(self.rules),
                )
            )
        return found


def _named(names: Sequence[str]) -> str:
    return listed(names, _MOST)


async def of_user(actor: Actor, user_id: int) -> Dependents:
    """For administrators, before a user is disabled."""
    require_admin(actor)
    user = await User.get(id=user_id)
    repositories = Repository.filter(owner_id=user_id, deleted_at=None).order_by("name")
    keys = Key.filter(owner_id=user_id, enabled=True).order_by("name")
    own = Channel.filter(owner_id=user_id)
    used = {row.id: row.name for row in await own}
    links = RuleChannel.filter(channel_id__in=list(used)).exclude(rule__user_id=user_id)
    about = Rule.filter(owner_id=user_id).exclude(user_id=user_id).select_related("user")
    key_ids = [row.id for row in await Key.filter(owner_id=user_id)]
    return Dependents(
        user=user.name,
        repositories=[row.name for row in await repositories],
        keys=[row.name for row in await keys],
        sessions=await Session.filter(ended_at=None, key_id__in=key_ids).count(),
        channels=sorted({used[link.channel_id] for link in await links}),
        rules=[f"{row.user.name}/{row.name}" for row in await about.order_by("id")],
    )
