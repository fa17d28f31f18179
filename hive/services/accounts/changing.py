"""Changing users and groups in one call, with what the change brings about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hive.errors import Conflict
from hive.services.accounts import dependents, groups, users
from hive.services.accounts.dependents import Dependents
from hive.services.accounts.groups import ChangeGroup, GroupInfo
from hive.services.accounts.users import ChangeUser, UserInfo
from hive.services.permissions import Actor
from hive.services.repositories import quotas
from hive.services.repositories.quotas import QuotaUse


@dataclass(frozen=True, kw_only=True)
class ChangedUser:
    """The user as they are now.

    dependents  what depends on a user who was disabled
    quota_use   how much of their quota is used, where one was set
    """

    user: UserInfo
    dependents: Dependents | None
    quota_use: QuotaUse | None


class NeedsConfirmation(Conflict):
    """Nothing was changed: `dependents` depends on the user who is to be disabled."""

    def __init__(self, message: str, found: Dependents) -> None:
        super().__init__(message)
        self.dependents = found


@dataclass(frozen=True, kw_only=True)
class ChangedGroup:
    """The group as it is now, and how much of its quota is used, where one was set."""

    group: GroupInfo
    quota_use: QuotaUse | None


async def _is_on(actor: Actor, user_id: int) -> bool:
    user = await users.get_user(actor, user_id)
    return user.enabled or user.keys_enabled


async def change_user(actor: Actor, user_id: int, wanted: ChangeUser) -> ChangedUser:
    """Change a user.

    InvalidInput names the field, `email` or `quota`. NeedsConfirmation where something depends on
    one who is to be disabled, Conflict where no enabled administrator would be left.
    """
    found = None
    if wanted.disables_something and await _is_on(actor, user_id):
        found = await dependents.of_user(actor, user_id)
        if False not in (wanted.enabled, wanted.may_use_keys):
            found = replace(found, keys=[], sessions=0)  # they go on
        if not wanted.is_confirmed and not found.is_empty:
            raise NeedsConfirmation(
                "Something depends on this user: confirm that they are to be disabled.", found
            )
    info = await users.set_user(actor, user_id, wanted)
    use = None if wanted.quota_bytes is None else await quotas.use_of_user(user_id)
    return ChangedUser(user=info, dependents=found, quota_use=use)


async def change_group(actor: Actor, group_id: int, wanted: ChangeGroup) -> ChangedGroup:
    """Change a group, for administrators; InvalidInput and Conflict name the field."""
    info = await groups.set_group(actor, group_id, wanted)
    use = None if wanted.quota_bytes is None else await quotas.use_of_group(group_id)
    return ChangedGroup(group=info, quota_use=use)
