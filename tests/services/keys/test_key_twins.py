"""The same public key under several owners: who sees it, and how it is disabled everywhere."""

from __future__ import annotations

import pytest

from hive import signals
from hive.errors import InvalidInput, NotFound
from hive.kinds import Access, EventKind
from hive.models import AuditEntry
from hive.services import events as recorded
from hive.services.gate import authentication
from hive.services.keys import keys, revocation
from hive.services.keys.infos import KeyInfo
from hive.services.permissions import OPERATOR
from hive.signals import RightsChanged
from tests import factories
from tests.factories import People


async def twins(people: People, **more: str) -> tuple[KeyInfo, KeyInfo, KeyInfo]:
    """One key of alice's, of bob's and of charlie's."""
    first = await factories.make_key(people.alice, **more)
    second = await factories.make_key(people.bob, "copy", line=first.line)
    third = await factories.make_key(people.charlie, "stolen", line=first.line)
    return first, second, third


async def test_administrators_see_the_other_owners_and_strangers_learn_nothing(
    people: People,
) -> None:
    first, second, third = await twins(people)
    shown = await keys.find_key(people.admin, "alice/laptop")
    assert [(one.owner, one.name, one.key_id) for one in shown.twins] == [
        ("bob", "copy", second.id),
        ("charlie", "stolen", third.id),
    ]
    listed = {one.owner: one.twins for one in await keys.list_keys(OPERATOR)}
    assert {owner: len(found) for owner, found in listed.items()} == {
        "alice": 2,
        "bob": 2,
        "charlie": 2,
    }
    for actor, key in ((people.alice, first), (people.bob, second), (people.charlie, third)):
        assert (await keys.find_key_by_id(actor, key.id)).twins == ()
        assert [one.twins for one in await keys.list_keys(actor)] == [()]


async def test_who_may_see_both_keys_sees_that_they_are_the_same(people: People) -> None:
    await twins(people, share_with="team")  # of alice and bob
    (copy,) = [one for one in await keys.list_keys(people.bob) if one.owner == "bob"]
    assert [(one.owner, one.name) for one in copy.twins] == [("alice", "laptop")]
    (hers,) = await keys.list_keys(people.alice)
    assert hers.twins == ()


async def test_an_administrator_disables_a_key_under_every_owner(people: People) -> None:
    first, _, _ = await twins(people)
    opened = {}
    for owner, name in ((people.alice, "laptop"), (people.bob, "copy")):
        opened[name] = await factories.make_repository(owner, accesses={name: Access.FULL})
    told: list[signals.Happening] = []
    unsubscribe = signals.subscribe(told.append)
    disabled = await revocation.disable_everywhere(people.admin, f" {first.fingerprint}\n")
    unsubscribe()
    assert [(one.owner, one.enabled) for one in disabled] == [
        ("alice", False),
        ("bob", False),
        ("charlie", False),
    ]
    assert any(isinstance(one, RightsChanged) for one in told)
    for repository in opened.values():
        login, fingerprint = repository.login, first.fingerprint
        assert await authentication.authenticate(login, fingerprint, "192.0.2.7") is None
        (event, *_) = await recorded.recent(OPERATOR, repository_id=repository.id)
        assert event.kind == EventKind.KEY_CHANGED
    entry = await AuditEntry.get(action="key.disable-everywhere")
    assert entry.details["fingerprint"] == first.fingerprint
    assert await revocation.disable_everywhere(people.admin, first.fingerprint) == []


async def test_others_disable_their_own_alone(people: People) -> None:
    first, second, third = await twins(people, share_with="team")
    # Bob may change alice's key, and still it is not his.
    disabled = await revocation.disable_everywhere(people.bob, first.fingerprint)
    assert [one.id for one in disabled] == [second.id]
    for key, is_enabled in ((first, True), (second, False), (third, True)):
        assert (await keys.find_key_by_id(OPERATOR, key.id)).enabled == is_enabled


async def test_a_fingerprint_is_meant(people: People) -> None:
    key = await factories.make_key(people.alice)
    for text in ("laptop", "", str(key.id), "SHA256:" + "x" * 100, "MD5:00:11"):
        with pytest.raises(InvalidInput, match="is not a fingerprint"):
            await revocation.disable_everywhere(OPERATOR, text)
    for actor in (OPERATOR, people.charlie):
        with pytest.raises(NotFound):
            await revocation.disable_everywhere(actor, "SHA256:nothing")
    with pytest.raises(NotFound):
        await revocation.disable_everywhere(people.charlie, key.fingerprint)
