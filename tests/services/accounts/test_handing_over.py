"""Somebody leaves, and what they own goes to a colleague in one step."""

from __future__ import annotations

import pytest

from hive.errors import Conflict, Forbidden, InvalidInput
from hive.kinds import Access
from hive.models import AuditEntry, Channel, Key, Repository, Rule
from hive.services.accounts import handing_over, users
from hive.services.gate import authentication
from hive.services.notifications import channels, rules
from hive.services.permissions import OPERATOR
from tests import factories
from tests.factories import People


async def test_everything_goes_at_once_and_no_machine_stops(people: People) -> None:
    key = await factories.make_key(people.alice, "d1")
    made = await factories.make_repository(
        people.alice, "d1", accesses={key.fingerprint: Access.FULL}
    )
    hook = await factories.make_webhook(people.alice)
    lonely = await factories.make_webhook(people.alice, name="only hers")
    await channels.share(people.alice, hook.id, "team")
    await rules.add(
        people.bob, "bob", rules.AddRule(name="hers", channels=[hook.id], owner="alice")
    )
    alice, bob = people.alice.user_id or 0, people.bob.user_id or 0
    shown = await handing_over.preview(OPERATOR, alice, "bob")
    assert (await Repository.get(id=made.id)).owner_id == alice
    done = await handing_over.hand_over(OPERATOR, alice, "bob")
    assert done == shown
    assert (done.repositories, done.keys, done.channels) == (["d1"], ["d1"], ["hook"])
    assert done.rules == ["bob/hers"]
    assert (await Repository.get(id=made.id)).owner_id == bob
    assert (await Key.get(id=key.id)).owner_id == bob
    assert (await Channel.get(id=hook.id)).owner_id == bob
    assert (await Channel.get(id=lonely.id)).owner_id == alice
    assert (await Rule.get()).owner_id == bob
    assert await authentication.authenticate(made.login, key.fingerprint, "192.0.2.1") is not None
    entry = await AuditEntry.get(action="user.hand-over")
    assert entry.details["owner"] == {"from": "alice", "to": "bob"}
    await users.set_user(OPERATOR, alice, users.ChangeUser(enabled=False))
    assert await authentication.authenticate(made.login, key.fingerprint, "192.0.2.1") is not None
    await users.delete_user(OPERATOR, alice)
    assert await authentication.authenticate(made.login, key.fingerprint, "192.0.2.1") is not None


async def test_what_the_receiver_has_already_is_named_and_nothing_is_half_done(
    people: People,
) -> None:
    for person in (people.alice, people.bob):
        await factories.make_repository(person, "same")
    await factories.make_repository(people.alice, "another")
    alice = people.alice.user_id or 0
    shown = await handing_over.preview(OPERATOR, alice, "bob")
    assert shown.conflicts == ["bob has a repository same already."]
    with pytest.raises(Conflict, match="same"):
        await handing_over.hand_over(OPERATOR, alice, "bob")
    assert await Repository.filter(owner_id=alice).count() == 2


async def test_nothing_goes_to_somebody_whose_keys_are_refused(people: People) -> None:
    await factories.make_repository(people.alice)
    await users.set_user(OPERATOR, people.bob.user_id or 0, users.ChangeUser(may_use_keys=False))
    with pytest.raises(Conflict, match="bob is disabled"):
        await handing_over.hand_over(OPERATOR, people.alice.user_id or 0, "bob")


async def test_it_is_for_administrators_and_to_somebody_else(people: People) -> None:
    alice = people.alice.user_id or 0
    with pytest.raises(Forbidden):
        await handing_over.hand_over(people.alice, alice, "alice")
    with pytest.raises(InvalidInput):
        await handing_over.hand_over(OPERATOR, alice, "alice")
