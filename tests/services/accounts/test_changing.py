from __future__ import annotations

import pytest

from hive.errors import Conflict, Forbidden, InvalidInput
from hive.services.accounts import changing, confirmed, groups, users
from hive.services.accounts.changing import NeedsConfirmation
from hive.services.accounts.groups import ChangeGroup
from hive.services.accounts.users import ChangeUser
from hive.services.permissions import OPERATOR
from tests import factories
from tests.factories import PASSWORD, People


async def test_who_others_depend_on_is_disabled_only_once_that_is_confirmed(
    people: People,
) -> None:
    user_id = people.alice.user_id or 0
    await factories.make_repository(people.alice)
    with pytest.raises(NeedsConfirmation) as asked:
        await changing.change_user(
            people.admin, user_id, ChangeUser(email="a@example.org", enabled=False)
        )
    assert asked.value.dependents.repositories == ["documents"]
    before = await users.get_user(people.admin, user_id)
    assert (before.enabled, before.email) == (True, None)
    wanted = ChangeUser(enabled=False, is_confirmed=True)
    changed = await changing.change_user(people.admin, user_id, wanted)
    assert not changed.user.enabled
    assert changed.dependents is not None
    assert changed.dependents.repositories == ["documents"]


async def test_on_whom_nothing_depends_is_disabled_at_once(people: People) -> None:
    user_id = people.charlie.user_id or 0
    changed = await changing.change_user(people.admin, user_id, ChangeUser(enabled=False))
    assert not changed.user.enabled
    with pytest.raises(Forbidden):
        await changing.change_user(people.bob, people.bob.user_id or 0, ChangeUser(enabled=False))


async def test_a_quota_is_answered_with_how_much_of_it_is_used(people: People) -> None:
    wanted = ChangeUser(quota_bytes=10**9)
    changed = await changing.change_user(people.admin, people.alice.user_id or 0, wanted)
    assert changed.quota_use is not None
    assert changed.quota_use.used_bytes == 0
    with pytest.raises(InvalidInput) as caught:
        await changing.change_user(
            people.admin, people.alice.user_id or 0, ChangeUser(quota_bytes=1)
        )
    assert caught.value.field == "quota"


async def test_a_group_has_the_members_that_are_chosen(people: People) -> None:
    team = await groups.find_group(OPERATOR, "team")
    wanted = ChangeGroup(name="crew", members=["bob", "charlie"])
    changed = await changing.change_group(people.admin, team.id, wanted)
    assert (changed.group.name, changed.group.members) == ("crew", ("bob", "charlie"))
    named = ChangeGroup(add_members=["alice"], remove_members=["bob"])
    changed = await changing.change_group(people.admin, team.id, named)
    assert changed.group.members == ("alice", "charlie")
    with pytest.raises(Forbidden):
        await changing.change_group(people.alice, team.id, wanted)


async def test_a_second_factor_changes_only_by_the_right_password(people: People) -> None:
    await users.set_password(OPERATOR, people.alice.user_id or 0, PASSWORD)
    for attempt in (confirmed.remove_totp, confirmed.new_recovery_codes):
        with pytest.raises(InvalidInput) as caught:
            await attempt(people.alice, password="wrong wrong wrong")
        assert caught.value.field == "password"
    await confirmed.remove_totp(people.alice, password=PASSWORD)
    with pytest.raises(Conflict):  # there is no factor that codes could stand in for
        await confirmed.new_recovery_codes(people.alice, password=PASSWORD)
