"""What depends on a user: what stops, or is no longer watched by them, when they are disabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.models import Channel, Key, Repository, Rule, RuleChannel, Session, User
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
        found = []
        if self.keys:
            found.append(f"{_counted(self.keys, 'key')} will be refused: {_named(self.keys)}.")
        if self.sessions:
            noun = "session ends" if self.sessions == 1 else "sessions end"
            found.append(f"{self.sessions} running {noun}.")
        if self.repositories:
            found.append(
                f"{self.user} owns {_counted(self.repositories, 'repository', 'repositories')}:"
                f" {_named(self.repositories)}. Their alarms go to the administrators."
            )
        if self.channels:
            found.append(
                f"Others use {_counted(self.channels, 'channel')}: {_named(self.channels)}."
            )
        if self.rules:
            found.append(
                f"{_counted(self.rules, 'rule')} of others"
                f" {'is' if len(self.rules) == 1 else 'are'} about {self.user}:"
                f" {_named(self.rules)}."
            )
        return found


def _counted(names: Sequence[str], one: str, many: str | None = None) -> str:
    return f"{len(names)} {one if len(names) == 1 else many or one + 's'}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


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
