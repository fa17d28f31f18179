"""Two switches, and an end that comes by itself: of accounts, memberships and shares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hive import clock
from hive.errors import Conflict, Forbidden, InvalidInput
from hive.kinds import Access, Level
from hive.models import AuditEntry, Membership, Notification
from hive.services import permissions
from hive.services.accounts import changing, expiry, groups, users
from hive.services.accounts.groups import ChangeGroup
from hive.services.accounts.users import ChangeUser
from hive.services.gate import authentication
from hive.services.keys import keys
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from tests import factories
from tests.factories import People
from tests.moving import Moved

HOUR = timedelta(hours=1)


@pytest.fixture
def moved() -> Iterator[Moved]:
    yield Moved()
    clock.use(None)


async def opens(login: str, fingerprint: str) -> bool:
    return await authentication.authenticate(login, fingerprint, "192.0.2.1") is not None


async def test_not_logging_in_and_keys_that_open_nothing_are_two_switches(people: People) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    alice = people.alice.user_id or 0
    await users.set_user(OPERATOR, alice, ChangeUser(may_log_in=False))
    assert await users.enabled_user(alice) is None
    assert await opens(made.login, key.fingerprint)
    changed = await users.set_user(OPERATOR, alice, ChangeUser(may_log_in=True, may_use_keys=False))
    assert (changed.enabled, changed.keys_enabled) == (True, False)
    assert await users.enabled_user(alice) is not None
    assert not await opens(made.login, key.fingerprint)
    await users.set_user(OPERATOR, alice, ChangeUser(enabled=True))
    assert await opens(made.login, key.fingerprint)


async def make_ends(people: People) -> None:
    """Alice's account, bob's membership and a share with the team end in twenty days."""
    end = clock.now() + timedelta(days=20)
    team = await groups.find_group(OPERATOR, "team")
    await users.set_user(OPERATOR, people.charlie.user_id or 0, ChangeUser(expires_at=end))
    await groups.set_group(OPERATOR, team.id, ChangeGroup(member_ends={"bob": end}))
    made = await factories.make_repository(people.alice)
    await catalogue.set_repository(people.alice, made.id, share_with=["team"], share_until=end)


async def titles_of(actor: Actor) -> list[str]:
    rows = await Notification.filter(user_id=actor.user_id, kind="access expires").order_by("id")
    return [f"{row.title}: {row.text.splitlines()[0]}" for row in rows]


async def test_what_ends_is_said_14_3_and_1_days_before_and_at_the_end(
    people: People, moved: Moved
) -> None:
    for name in ("alice", "bob", "charlie"):
        await factories.make_webhook(getattr(people, name), name=name)
    await make_ends(people)
    for days, expected in ((5, 0), (7, 1), (16, 1), (17.5, 2), (19.5, 3), (19.6, 3)):
        moved.to(timedelta(days=days))
        await expiry.look()
        assert len(await titles_of(people.charlie)) == expected, days
    assert await Membership.filter(user_id=people.bob.user_id).exists()
    moved.to(timedelta(days=20, minutes=1))
    await expiry.look()
    ended = await users.get_user(OPERATOR, people.charlie.user_id or 0)
    assert (ended.enabled, ended.keys_enabled) == (False, False)
    assert not await Membership.filter(user_id=people.bob.user_id).exists()
    said = await titles_of(people.bob)
    assert said[-1].startswith("Access has ended: ")
    assert "bob is no longer a member of the group team." in " ".join(said)
    assert "documents is shared with the group team until" in " ".join(said)
    actions = {entry.action for entry in await AuditEntry.filter(actor="system")}
    assert {"user.expired", "membership.expired", "share.expired"} <= actions


async def test_the_last_administrator_stays_whatever_the_date(people: People, moved: Moved) -> None:
    admin = people.admin.user_id or 0
    await users.set_user(OPERATOR, admin, ChangeUser(expires_at=clock.now() + HOUR))
    moved.to(2 * HOUR)
    await expiry.look()
    assert (await users.get_user(OPERATOR, admin)).enabled


async def test_an_account_that_ended_can_be_switched_on_again(people: People, moved: Moved) -> None:
    bob = people.bob.user_id or 0
    await users.set_user(OPERATOR, bob, ChangeUser(expires_at=clock.now() + HOUR))
    moved.to(2 * HOUR)
    await expiry.look()
    assert not (await users.get_user(OPERATOR, bob)).enabled
    await users.set_user(OPERATOR, bob, ChangeUser(enabled=True))
    await expiry.look()
    again = await users.get_user(OPERATOR, bob)
    assert (again.enabled, again.expires_at) == (True, None)


async def test_who_may_merely_not_log_in_is_not_said_to_have_keys_refused(people: People) -> None:
    await factories.make_key(people.alice)
    alice = people.alice.user_id or 0
    changed = await changing.change_user(OPERATOR, alice, ChangeUser(may_log_in=False))
    assert changed.dependents is not None
    assert changed.dependents.is_empty
    with pytest.raises(changing.NeedsConfirmation):
        await changing.change_user(OPERATOR, alice, ChangeUser(may_use_keys=False))


async def test_an_end_lies_ahead(people: People) -> None:
    past = clock.now() - HOUR
    with pytest.raises(InvalidInput):
        await users.set_user(OPERATOR, people.bob.user_id or 0, ChangeUser(expires_at=past))
    key = await factories.make_key(people.alice)
    change = keys.ChangeKey(share_with=["team"], share_until=past)
    with pytest.raises(InvalidInput):
        await keys.change_key(people.alice, key.id, change)


async def test_a_lead_manages_members_without_an_administrator(people: People) -> None:
    team = await groups.find_group(OPERATOR, "team")
    with pytest.raises(Forbidden):
        await groups.set_group(people.alice, team.id, ChangeGroup(add_members=["charlie"]))
    await groups.set_group(OPERATOR, team.id, ChangeGroup(add_leads=["alice"]))
    changed = await groups.set_group(
        people.alice, team.id, ChangeGroup(add_members=["charlie"], remove_members=["bob"])
    )
    assert (changed.members, changed.leads) == (("alice", "charlie"), ("alice",))
    for refused in (ChangeGroup(name="x"), ChangeGroup(quota_bytes=10**9)):
        with pytest.raises(Forbidden):
            await groups.set_group(people.alice, team.id, refused)


async def test_a_limit_of_repositories_holds_for_a_user_and_for_a_group(people: People) -> None:
    alice = people.alice.user_id or 0
    await users.set_user(OPERATOR, alice, ChangeUser(max_repositories=1))
    made = await factories.make_repository(people.alice, "one")
    with pytest.raises(Conflict, match="up to 1"):
        await factories.make_repository(people.alice, "two")
    with pytest.raises(Conflict, match="up to 1"):
        await catalogue.add_repository(OPERATOR, "two", owner="alice")
    await users.set_user(OPERATOR, alice, ChangeUser(no_max_repositories=True))
    team = await groups.find_group(OPERATOR, "team")
    await groups.set_group(OPERATOR, team.id, ChangeGroup(max_repositories=2))
    await factories.make_repository(people.bob, "two")
    with pytest.raises(Conflict, match="The members of team"):
        await factories.make_repository(people.bob, "three")
    await factories.make_repository(people.charlie, "three")
    assert await permissions.manageable_ids(people.alice, [made.id]) == {made.id}
    assert await catalogue.level(people.bob, made.id) == Level.NONE
